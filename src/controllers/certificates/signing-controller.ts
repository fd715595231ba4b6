import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import {
  apiServerClientProblem,
  kubeletClientProblem,
  kubeletServingProblem,
} from "#api/certificates/kubelet-requests.ts";
import type { CertificateSigningRequest } from "#api/generated/types.ts";
import { nameOf, parseKey } from "#api/meta.ts";
import { certificateSigningRequests } from "#api/resources.ts";
import { rfc3339 } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import { hasCondition, requestText, withCondition } from "#controllers/certificates/conditions.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";

/**
 * Makes the certificate, in PEM, for a request that was approved and fits its signer.
 * @throws when the request cannot be signed: its signature does not fit, its key is of an unknown kind
 */
export type SignCertificate = (asked: {
  readonly signerName: string;
  /** PEM. */
  readonly request: string;
  readonly usages: readonly string[];
  readonly expirationSeconds?: number;
}) => string;

/** Signs approved requests to the signers that Kubernetes has built in; others are somebody else's. */
export function createSigningController(
  kit: ControllerKit,
  signCertificate: SignCertificate,
): Controller {
  const { client, informers, clock, log } = kit;
  const requests = informers.of(certificateSigningRequests);
  return createController({
    name: "csrsigning",
    reads: ["certificatesigningrequests.certificates.k8s.io"],
    writes: [
      { resource: "certificatesigningrequests.certificates.k8s.io", fields: "status.certificate" },
      {
        resource: "certificatesigningrequests.certificates.k8s.io",
        fields: "status.conditions.Failed",
      },
    ],
    sources: [keysFrom(requests, ({ object }) => [nameOf(object)])],
    async reconcile(key, { signal }) {
      const csr = requests.get(parseKey(key));
      const signed = csr && signRequest(csr, signCertificate, clock.now());
      if (signed === undefined) return;
      await client.update(certificateSigningRequests, signed, { subresource: "status", signal });
    },
    clock,
    log,
  });
}

/** The request with its certificate, or with the reason why it gets none; undefined when there is nothing to do. */
export function signRequest(
  csr: CertificateSigningRequest,
  signCertificate: SignCertificate,
  nowMs: number,
): CertificateSigningRequest | undefined {
  const { signerName, usages = [], expirationSeconds } = csr.spec;
  const problemOf = signers[signerName];
  if (problemOf === undefined || csr.status?.certificate) return undefined;
  if (!hasCondition(csr, "Approved") || hasCondition(csr, "Failed")) return undefined;
  if (hasCondition(csr, "Denied")) return undefined;
  try {
    const request = requestText(csr);
    const problem = problemOf(parseCertificateRequest(request), usages);
    if (problem !== undefined) return failed(csr, problem, nowMs);
    const life = typeof expirationSeconds === "number" ? { expirationSeconds } : {};
    const certificate = signCertificate({ signerName, request, usages, ...life });
    return { ...csr, status: { ...csr.status, certificate: btoa(certificate) } };
  } catch (error) {
    return failed(csr, messageOf(error), nowMs);
  }
}

type ProblemOf = (
  request: ReturnType<typeof parseCertificateRequest>,
  usages: readonly string[],
) => string | undefined;

const signers: Readonly<Record<string, ProblemOf>> = {
  "kubernetes.io/kube-apiserver-client": (_request, usages) => apiServerClientProblem(usages),
  "kubernetes.io/kube-apiserver-client-kubelet": kubeletClientProblem,
  "kubernetes.io/kubelet-serving": kubeletServingProblem,
  "kubernetes.io/legacy-unknown": () => undefined,
};

function failed(
  csr: CertificateSigningRequest,
  message: string,
  nowMs: number,
): CertificateSigningRequest {
  return withCondition(csr, {
    type: "Failed",
    status: "True",
    reason: "SignerValidationFailure",
    message,
    lastUpdateTime: rfc3339(nowMs),
    lastTransitionTime: rfc3339(nowMs),
  });
}
