import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { issueCertificate } from "#apiserver/node/pki/certificate.ts";
import type { KeyAndCertificate, Subject } from "#apiserver/node/pki/certificate.ts";

/** The cluster's certificate authority: everybody who speaks TLS here was signed by it. */
export interface Authority {
  /** The authority's own certificate, in PEM: what clients trust. */
  readonly certificate: string;
  readonly key: string;
  issue(request: LeafRequest): KeyAndCertificate;
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
const subject: Subject = { commonName: "kubernetes" };

export function createAuthority(nowMs: number): Authority {
  const made = issueCertificate({
    subject,
    use: "authority",
    notBeforeMs: nowMs - clockSkewMs,
    notAfterMs: nowMs + authorityValidityMs,
  });
  return openAuthority(made, nowMs);
}

/** @throws when key and certificate do not belong together */
export function openAuthority(stored: KeyAndCertificate, nowMs: number): Authority {
  const key = createPrivateKey(stored.key);
  const certificate = new X509Certificate(stored.certificate);
  if (!certificate.checkPrivateKey(key)) {
    throw new Error(
      "Cannot use the cluster's certificate authority: its key and certificate do not match",
    );
  }
  return {
    certificate: stored.certificate,
    key: stored.key,
    issue: (request) => issueLeaf(request, key, Math.min(nowMs, certificate.validToDate.getTime())),
  };
}

function issueLeaf(request: LeafRequest, key: KeyObject, nowMs: number): KeyAndCertificate {
  return issueCertificate(
    {
      ...request,
      notBeforeMs: nowMs - clockSkewMs,
      notAfterMs: nowMs + (request.validityMs ?? yearMs),
    },
    { subject, key },
  );
}
