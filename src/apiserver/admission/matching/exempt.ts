import type { Target } from "#apiserver/admission/matching/target.ts";

/** The objects that configure admission itself: nothing they configure may come between them and who mends them. */
export function isExempt({ kind }: Target): boolean {
  return kind.group === "admissionregistration.k8s.io" && exemptKinds.has(kind.kind);
}

const exemptKinds: ReadonlySet<string> = new Set([
  "MutatingAdmissionPolicy",
  "MutatingAdmissionPolicyBinding",
  "MutatingWebhookConfiguration",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
]);
