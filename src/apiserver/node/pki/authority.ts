import { createPrivateKey, X509Certificate } from "node:crypto";
import { issueCertificate } from "#apiserver/node/pki/certificate.ts";
import type { Issuer, KeyAndCertificate, Subject } from "#apiserver/node/pki/certificate.ts";
import { signRequest } from "#apiserver/node/pki/sign-request.ts";
import type { RequestToSign } from "#apiserver/node/pki/sign-request.ts";

/** The cluster's certificate authority: everybody who speaks TLS here was signed by it. */
export interface Authority {
  /** The authority's own certificate, in PEM: what clients trust. */
  readonly certificate: string;
  readonly key: string;
  issue(request: LeafRequest): KeyAndCertificate;
  /** Signs somebody else's request, as `signRequest` says. */
  sign(request: RequestToSign, nowMs: number): string;
}

export interface LeafRequest {
  readonly subject: Subject;
  readonly use: "server" | "client" | "server-and-client";
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Default one year. */
  readonly validityMs?: number;
}

const yearMs = 365 * 24 * 3_600_000;
const authorityValidityMs = 10 * yearMs;
/** Certificates begin a little in the past, for clients whose clock is behind. */
const clockSkewMs = 5 * 60_000;

export function createAuthority(nowMs: number, commonName = "kubernetes"): Authority {
  const made = issueCertificate({
    subject: { commonName },
    use: "authority",
    notBeforeMs: nowMs - clockSkewMs,
    notAfterMs: nowMs + authorityValidityMs,
  });
  return openAuthority(made, nowMs, commonName);
}

/** @throws when key and certificate do not belong together */
export function openAuthority(
  stored: KeyAndCertificate,
  nowMs: number,
  commonName = "kubernetes",
): Authority {
  const key = createPrivateKey(stored.key);
  const certificate = new X509Certificate(stored.certificate);
  if (!certificate.checkPrivateKey(key)) {
    throw new Error(
      "Cannot use the cluster's certificate authority: its key and certificate do not match",
    );
  }
  const notAfterMs = certificate.validToDate.getTime();
  const issuer = { subject: { commonName }, key, notAfterMs };
  return {
    certificate: stored.certificate,
    key: stored.key,
    issue: (request) => issueLeaf(request, issuer, Math.min(nowMs, notAfterMs)),
    sign: (request, signedAtMs) => signRequest(request, issuer, signedAtMs),
  };
}

function issueLeaf(request: LeafRequest, issuer: Issuer, nowMs: number): KeyAndCertificate {
  return issueCertificate(
    {
      ...request,
      notBeforeMs: nowMs - clockSkewMs,
      notAfterMs: nowMs + (request.validityMs ?? yearMs),
    },
    issuer,
  );
}
