import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import type { JsonObject } from "#api/kind.ts";
import { notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, objectsAt, sameJson, stringAt } from "#apiserver/objects/json.ts";

/** Who approves or denies must be allowed to `approve` for the request's signer. */
export const certificateApproval: AdmissionPlugin = {
  name: "CertificateApproval",
  async validate(call, attempt) {
    if (!isUpdateOf(call, attempt, "approval")) return;
    const signer = signerOf(attempt.old);
    if (await mayFor(call, "approve", signer)) return;
    const why = `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`;
    throw notAdmitted(call, attempt, why);
  },
};

/** Who puts in the certificate, or says that there will be none, must be allowed to `sign` for the signer. */
export const certificateSigning: AdmissionPlugin = {
  name: "CertificateSigning",
  async validate(call, attempt) {
    if (!isUpdateOf(call, attempt, "status")) return;
    const [status, before] = [objectAt(attempt.object, "status"), objectAt(attempt.old, "status")];
    const same =
      status.certificate === before.certificate &&
      sameJson(objectsAt(status, "conditions"), objectsAt(before, "conditions"));
    if (same) return;
    const signer = signerOf(attempt.old);
    if (await mayFor(call, "sign", signer)) return;
    const why = `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`;
    throw notAdmitted(call, attempt, why);
  },
};

/** Nobody asks for a certificate that makes them a member of `system:masters`. */
export const certificateSubject: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  validate(call, attempt) {
    if (attempt.operation !== "CREATE" || !isRequest(call, "")) return;
    if (signerOf(attempt.object) !== clientSigner) return;
    // The request was read when it was validated.
    const pem = atob(stringAt(objectAt(attempt.object, "spec"), "request"));
    const { organizations } = parseCertificateRequest(pem);
    if (!organizations.includes("system:masters")) return;
    const why = `use of ${clientSigner} signer with system:masters group is not allowed`;
    throw notAdmitted(call, attempt, why);
  },
};

const clientSigner = "kubernetes.io/kube-apiserver-client";

function isRequest({ kind, info }: Call, subresource: string): boolean {
  return (
    kind.group === "certificates.k8s.io" &&
    kind.resource === "certificatesigningrequests" &&
    info.subresource === subresource
  );
}

function isUpdateOf(call: Call, { operation }: Attempt, subresource: string): boolean {
  return operation === "UPDATE" && isRequest(call, subresource);
}

function signerOf(request: JsonObject | undefined): string {
  return stringAt(objectAt(request, "spec"), "signerName");
}

/** For this signer by name, or for all of its domain: `example.com/*`. */
async function mayFor(call: Call, verb: string, signer: string): Promise<boolean> {
  const domain = `${signer.split("/")[0] ?? ""}/*`;
  for (const name of [signer, domain]) {
    const decision = await call.server.authorizer.authorize({
      user: call.user,
      verb,
      isResource: true,
      group: "certificates.k8s.io",
      version: "*",
      resource: "signers",
      subresource: "",
      namespace: "",
      name,
      path: "",
    });
    if (decision.allowed) return true;
  }
  return false;
}
