import type { AdmissionFunction } from "#apiserver/admission/admission.ts";

/** One admission plugin under upstream's name, with what it does in each phase. */
export interface AdmissionPlugin {
  /** As `--enable-admission-plugins` has it: `LimitRanger`. */
  readonly name: string;
  /** Before the object is validated: may change it. */
  readonly mutate?: AdmissionFunction;
  /** On the valid object that is stored next: may only refuse. */
  readonly validate?: AdmissionFunction;
}
