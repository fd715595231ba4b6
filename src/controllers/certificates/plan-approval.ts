import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import type { CertificateRequest } from "#api/certificates/certificate-request.ts";
import {
  kubeletClientProblem,
  kubeletServingProblem,
  nodePrefix,
} from "#api/certificates/kubelet-requests.ts";
import type { CertificateSigningRequest, Node } from "#api/generated/types.ts";
import { isUndecided, requestText } from "#controllers/certificates/conditions.ts";

/** A permission that lets the request be approved unseen, and what the approval then says. */
export interface Permission {
  /** `certificatesigningrequests/…` that the requester must be allowed to create. */
  readonly subresource: "selfnodeclient" | "nodeclient";
  readonly message: string;
}

/** By which permissions a node's client certificate may be approved, the better one first; none for other requests. */
export function clientPermissions(csr: CertificateSigningRequest): readonly Permission[] {
  if (csr.spec.signerName !== "kubernetes.io/kube-apiserver-client-kubelet") return [];
  const request = undecidedRequest(csr);
  if (request === undefined) return [];
  if (kubeletClientProblem(request, csr.spec.usages ?? []) !== undefined) return [];
  const own: Permission = {
    subresource: "selfnodeclient",
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
  };
  const others: Permission = {
    subresource: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
  };
  return csr.spec.username === request.commonName ? [own, others] : [others];
}

/** The node that asks for its own serving certificate; undefined for other requests. */
export function servingNode(csr: CertificateSigningRequest): string | undefined {
  if (csr.spec.signerName !== servingSigner) return undefined;
  const { username = "", groups = [] } = csr.spec;
  if (!username.startsWith(nodePrefix) || !groups.includes("system:nodes")) return undefined;
  return username.slice(nodePrefix.length);
}

/**
 * Whether all names and addresses that a node wants to serve under are those of its Node object. Upstream leaves this
 * to an administrator, because its signer's certificates may be trusted by everybody; here they are trusted by the API
 * server alone, and only for the node they name.
 */
export function servesAsItself(csr: CertificateSigningRequest, node: Node): boolean {
  const request = undecidedRequest(csr);
  if (request === undefined || request.commonName !== csr.spec.username) return false;
  if (kubeletServingProblem(request, csr.spec.usages ?? []) !== undefined) return false;
  const addresses = node.status?.addresses ?? [];
  const own = new Set(addresses.map(({ address }) => address));
  return [...request.dnsNames, ...request.ipAddresses].every((name) => own.has(name));
}

const servingSigner = "kubernetes.io/kubelet-serving";

function undecidedRequest(csr: CertificateSigningRequest): CertificateRequest | undefined {
  if (!isUndecided(csr)) return undefined;
  try {
    return parseCertificateRequest(requestText(csr));
  } catch {
    return undefined;
  }
}
