import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAuthority, openAuthority } from "#apiserver/node/pki/authority.ts";
import type { Authority, LeafRequest } from "#apiserver/node/pki/authority.ts";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";

/** The keys of one cluster, kept in a directory (`pki/` of the data directory) or only in memory. */
export interface Pki {
  readonly authority: Authority;
  /**
   * Signs the serving certificates of nodes that joined. Only the API server trusts it, and only for nodes: what a
   * node says of its addresses lets it be taken for nobody else. Made when first asked for.
   */
  readonly servingAuthority: () => Authority;
  /** What the API server shows servers that extend it, to vouch for the users it names: nobody else is given one. */
  readonly frontProxy: () => FrontProxyPair;
  /** Signs service-account tokens: a PKCS #8 key in PEM (P-256, for ES256). */
  readonly serviceAccountKey: string;
  /** A certificate kept under `name`; made anew when it is missing, about to expire or asked for with other names. */
  certificate(name: string, request: LeafRequest): KeyAndCertificate;
}

export interface FrontProxyPair extends KeyAndCertificate {
  /** The authority that signed it and signs nothing else, in PEM. */
  readonly authority: string;
}

/** A certificate is replaced when less than this remains of it. */
const renewBeforeMs = 30 * 24 * 3_600_000;

export function openPkiDirectory(directory: string, nowMs: number): Pki {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const authority = openOrCreateAuthority(directory, nowMs, clusterAuthority);
  return {
    authority,
    servingAuthority: once(() => openOrCreateAuthority(directory, nowMs, servingAuthority)),
    frontProxy: once(() =>
      frontProxyPair(openOrCreateAuthority(directory, nowMs, frontProxyAuthority)),
    ),
    serviceAccountKey: openOrCreateKey(join(directory, "sa.key")),
    certificate(name, request) {
      const kept = readPair(directory, name);
      if (kept && stillFits(kept, request, nowMs)) return kept;
      const made = authority.issue(request);
      writePair(directory, name, made);
      return made;
    },
  };
}

/** Keys that live only as long as the process, for a cluster inside a test. */
export function createMemoryPki(nowMs: number): Pki {
  const authority = createAuthority(nowMs);
  return {
    authority,
    servingAuthority: once(() => createAuthority(nowMs, servingAuthority.commonName)),
    frontProxy: once(() => frontProxyPair(createAuthority(nowMs, frontProxyAuthority.commonName))),
    serviceAccountKey: newKey(),
    certificate: (_name, request) => authority.issue(request),
  };
}

interface AuthorityName {
  readonly file: string;
  readonly commonName: string;
}

const clusterAuthority: AuthorityName = { file: "ca", commonName: "kubernetes" };
const servingAuthority: AuthorityName = { file: "kubelet-ca", commonName: "kubelet-serving" };

const frontProxyAuthority: AuthorityName = { file: "front-proxy-ca", commonName: "front-proxy-ca" };

/** The name that servers are told to expect. */
export const frontProxyName = "front-proxy-client";

function frontProxyPair(authority: Authority): FrontProxyPair {
  const pair = authority.issue({ subject: { commonName: frontProxyName }, use: "client" });
  return { ...pair, authority: authority.certificate };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function openOrCreateAuthority(directory: string, nowMs: number, name: AuthorityName): Authority {
  const kept = readPair(directory, name.file);
  if (!kept) {
    const made = createAuthority(nowMs, name.commonName);
    writePair(directory, name.file, made);
    return made;
  }
  // Who trusts the cluster trusts this pair: one that cannot be used is never replaced unasked.
  try {
    return openAuthority(kept, nowMs, name.commonName);
  } catch (cause) {
    const { key, certificate } = pairFiles(directory, name.file);
    throw new Error(
      `Cannot use the certificate authority in "${key}" and "${certificate}": restore them from a backup`,
      { cause },
    );
  }
}

function openOrCreateKey(file: string): string {
  if (existsSync(file)) return usableKey(file);
  const key = newKey();
  replaceFile(file, key, 0o600);
  return key;
}

function usableKey(file: string): string {
  const key = readFileSync(file, "utf8");
  try {
    createPrivateKey(key);
    return key;
  } catch (cause) {
    throw new Error(
      `Cannot use the key in "${file}": restore it from a backup, or remove it; then every service account's token is void`,
      { cause },
    );
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** A pair that cannot be read fits nothing: another is made. */
function stillFits(kept: KeyAndCertificate, request: LeafRequest, nowMs: number): boolean {
  try {
    return isFor(request, readCertificate(kept), nowMs);
  } catch {
    return false;
  }
}

/** @throws when either is damaged, or they do not belong together */
function readCertificate(kept: KeyAndCertificate): X509Certificate {
  const certificate = new X509Certificate(kept.certificate);
  if (certificate.checkPrivateKey(createPrivateKey(kept.key))) return certificate;
  throw new Error("the key does not belong to the certificate");
}

function isFor(request: LeafRequest, certificate: X509Certificate, nowMs: number): boolean {
  const names = new Set(certificate.subjectAltName?.split(", ") ?? []);
  const wanted = [
    ...(request.dnsNames ?? []).map((name) => `DNS:${name}`),
    ...(request.ipAddresses ?? [])
      .filter((address) => !address.includes(":"))
      .map((address) => `IP Address:${address}`),
  ];
  return (
    certificate.validToDate.getTime() - nowMs > renewBeforeMs &&
    wanted.every((name) => names.has(name))
  );
}

function readPair(directory: string, name: string): KeyAndCertificate | undefined {
  const files = pairFiles(directory, name);
  if (!existsSync(files.key) || !existsSync(files.certificate)) return undefined;
  return {
    key: readFileSync(files.key, "utf8"),
    certificate: readFileSync(files.certificate, "utf8"),
  };
}

function writePair(directory: string, name: string, pair: KeyAndCertificate): void {
  const files = pairFiles(directory, name);
  replaceFile(files.key, pair.key, 0o600);
  replaceFile(files.certificate, pair.certificate, 0o644);
}

function pairFiles(directory: string, name: string): { key: string; certificate: string } {
  return { key: join(directory, `${name}.key`), certificate: join(directory, `${name}.crt`) };
}

/** Writes beside and renames, so that a crash leaves the old file or the new one. */
function replaceFile(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}
