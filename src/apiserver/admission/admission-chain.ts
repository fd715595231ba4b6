import type { AdmissionChain, AdmissionFunction } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { chosenPlugins, type AdmissionChoice } from "#apiserver/admission/admission-order.ts";
import { builtinPlugins } from "#apiserver/admission/builtin-admission.ts";
import { certificateRequester } from "#apiserver/admission/certificate-requester.ts";

export interface ChainParts {
  readonly choice: AdmissionChoice | undefined;
  /** Plugins that are made from more than the server: webhooks, policies. */
  readonly plugins: readonly AdmissionPlugin[];
  readonly nodeAdmission: AdmissionFunction;
  readonly grantAdmission: AdmissionFunction;
}

/** What every write passes: the plugins that act, and the checks that nobody turns off. */
export function admissionChain(parts: ChainParts): AdmissionChain {
  const nodeRestriction = { name: "NodeRestriction", mutate: parts.nodeAdmission };
  const present = [...builtinPlugins(), nodeRestriction, ...parts.plugins];
  const chosen = chosenPlugins(present, parts.choice);
  return {
    mutating: [certificateRequester, ...chosen.flatMap(({ mutate }) => mutate ?? [])],
    validating: [parts.grantAdmission, ...chosen.flatMap(({ validate }) => validate ?? [])],
  };
}
