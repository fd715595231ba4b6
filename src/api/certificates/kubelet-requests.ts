import type { CertificateRequest } from "#api/certificates/certificate-request.ts";

/**
 * Why a request is none for a node's client certificate, in upstream's words; undefined when it is one. The rules are
 * those of the signer `kubernetes.io/kube-apiserver-client-kubelet`.
 */
export function kubeletClientProblem(
  request: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (!isOfNodes(request)) return problems.organization;
  if (request.dnsNames.length > 0) return problems.dns;
  if (request.emailAddresses.length > 0) return problems.email;
  if (request.ipAddresses.length > 0) return problems.ip;
  if (request.uris.length > 0) return problems.uri;
  if (!request.commonName.startsWith(nodePrefix)) return problems.commonName;
  return usagesProblem(usages, "client auth");
}

/** The same for a node's serving certificate: `kubernetes.io/kubelet-serving`. */
export function kubeletServingProblem(
  request: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (!isOfNodes(request)) return problems.organization;
  if (request.dnsNames.length === 0 && request.ipAddresses.length === 0) return problems.noNames;
  if (request.emailAddresses.length > 0) return problems.email;
  if (request.uris.length > 0) return problems.uri;
  return (
    usagesProblem(usages, "server auth") ??
    (request.commonName.startsWith(nodePrefix) ? undefined : problems.commonName)
  );
}

/** The same for any user's client certificate: `kubernetes.io/kube-apiserver-client`. */
export function apiServerClientProblem(usages: readonly string[]): string | undefined {
  const allowed = ["digital signature", "key encipherment", "client auth"];
  const other = usages.find((usage) => !allowed.includes(usage));
  if (other !== undefined) return `invalid usage for client certificate: ${other}`;
  if (usages.includes("client auth")) return undefined;
  return "missing required usage for client certificate: client auth";
}

export const nodePrefix = "system:node:";

const problems = {
  organization: "subject organization is not system:nodes",
  commonName: "subject common name does not begin with system:node:",
  noNames: "DNS or IP subjectAltName is required",
  dns: "DNS subjectAltNames are not allowed",
  email: "Email subjectAltNames are not allowed",
  ip: "IP subjectAltNames are not allowed",
  uri: "URI subjectAltNames are not allowed",
};

function isOfNodes({ organizations }: CertificateRequest): boolean {
  return organizations.length === 1 && organizations[0] === "system:nodes";
}

function usagesProblem(usages: readonly string[], needed: string): string | undefined {
  const asked = new Set(usages);
  const required = [needed, "digital signature", "key encipherment"].toSorted();
  const complete =
    asked.has(needed) &&
    asked.has("digital signature") &&
    [...asked].every((usage) => required.includes(usage));
  return complete ? undefined : `usages did not match [${required.join(" ")}]`;
}
