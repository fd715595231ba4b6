import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import type { CertificateSigningRequest } from "#api/generated/types.ts";
import { certificateSigningRequests } from "#api/resources.ts";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";
import type { RequestedCertificate } from "#apiserver/node/pki/certificate-request.ts";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";

export interface CertificateParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told when nobody has decided after a while. */
  readonly onWaiting?: (requestName: string) => void;
}

export interface WantedCertificate extends RequestedCertificate {
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly expirationSeconds?: number;
}

/** Upstream's kubelet waits as long for an approval before it asks anew. */
const waitMs = 15 * 60_000;
const tellAfterMs = 5_000;

/** Makes a key and asks the cluster to sign a certificate for it; resolves when it has. The key never leaves. */
export async function requestCertificate(
  parts: CertificateParts,
  wanted: WantedCertificate,
): Promise<KeyAndCertificate> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const request = createCertificateRequest(wanted, createPrivateKey(key));
  const asked = await parts.client.create(certificateSigningRequests, objectOf(wanted, request), {
    signal: parts.signal,
  });
  const certificate = await decided(parts, asked.metadata.name ?? "");
  return { key, certificate };
}

function objectOf(
  { signerName, usages, expirationSeconds }: WantedCertificate,
  request: string,
): CertificateSigningRequest {
  return {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { generateName: "csr-" },
    spec: {
      request: Buffer.from(request).toString("base64"),
      signerName,
      usages,
      ...(expirationSeconds !== undefined && { expirationSeconds }),
    },
  };
}

async function decided(parts: CertificateParts, name: string): Promise<string> {
  const { client, clock, log } = parts;
  const ending = new AbortController();
  const late = new Error(
    `Cannot get a certificate: nobody approved the request "${name}" within ${waitMs / 60_000} minutes (kubectl certificate approve ${name})`,
  );
  const cancels = [
    clock.after(waitMs, () => ending.abort(late)),
    clock.after(tellAfterMs, () => parts.onWaiting?.(name)),
  ];
  const signal = AbortSignal.any([parts.signal, ending.signal]);
  const fieldSelector = `metadata.name=${name}`;
  const informer = createInformer(client, certificateSigningRequests, {
    fieldSelector,
    clock,
    log,
    signal,
  });
  try {
    let answer: string | undefined;
    await informer.until(() => {
      const csr = informer.get({ name });
      answer = csr && answerOf(csr);
      return answer !== undefined;
    }, signal);
    return answer ?? "";
  } finally {
    for (const cancel of cancels) cancel();
    ending.abort(new Error("the request is decided"));
  }
}

/** The certificate, in PEM; undefined while it is not decided. @throws when it was refused */
function answerOf({ metadata, status }: CertificateSigningRequest): string | undefined {
  const against = status?.conditions?.find(({ type }) => type === "Denied" || type === "Failed");
  if (against !== undefined) {
    const why = [against.reason, against.message].filter(Boolean).join(": ");
    throw new Error(
      `Cannot get a certificate: the request "${metadata.name}" was ${against.type === "Denied" ? "denied" : "not signed"} (${why})`,
    );
  }
  return status?.certificate && Buffer.from(status.certificate, "base64").toString();
}
