import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from "#api/generated/types.ts";

/** The decoded `spec.request`: PEM; empty when it is no base64. */
export function requestText(csr: CertificateSigningRequest): string {
  try {
    return atob(csr.spec.request);
  } catch {
    return "";
  }
}

export function hasCondition(csr: CertificateSigningRequest, type: string): boolean {
  return csr.status?.conditions?.some((one) => one.type === type && one.status === "True") ?? false;
}

/** Whether nobody has approved or denied it yet. */
export function isUndecided(csr: CertificateSigningRequest): boolean {
  return !csr.status?.certificate && !hasCondition(csr, "Approved") && !hasCondition(csr, "Denied");
}

export function withCondition(
  csr: CertificateSigningRequest,
  condition: CertificateSigningRequestCondition,
): CertificateSigningRequest {
  const conditions = [...(csr.status?.conditions ?? []), condition];
  return { ...csr, status: { ...csr.status, conditions } };
}

export function approved(
  csr: CertificateSigningRequest,
  message: string,
): CertificateSigningRequest {
  return withCondition(csr, { type: "Approved", status: "True", reason: "AutoApproved", message });
}
