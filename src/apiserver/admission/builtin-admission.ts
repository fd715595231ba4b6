import type { AdmissionFunction } from "#apiserver/admission/admission.ts";
import { certificateRequester } from "#apiserver/admission/certificate-requester.ts";
import { defaultIngressClass, defaultStorageClass } from "#apiserver/admission/default-classes.ts";
import { defaultTolerations } from "#apiserver/admission/default-tolerations.ts";
import { namespaceLifecycle } from "#apiserver/admission/namespace-lifecycle.ts";
import { priority } from "#apiserver/admission/priority.ts";
import { serviceAccount } from "#apiserver/admission/service-account.ts";

/** The steps every write passes, in order. */
export const builtinAdmission: readonly AdmissionFunction[] = [
  namespaceLifecycle,
  certificateRequester,
  serviceAccount,
  defaultTolerations,
  priority,
  defaultStorageClass,
  defaultIngressClass,
];
