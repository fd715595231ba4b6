import type { AdmissionFunction } from "./admission.ts";

/** The steps every write passes, in order. */
export const builtinAdmission: readonly AdmissionFunction[] = [];
