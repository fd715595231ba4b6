import { createPublicKey, verify } from "node:crypto";
import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import type { CertificateRequest } from "#api/certificates/certificate-request.ts";
import { extension, signContent } from "#apiserver/node/pki/certificate.ts";
import type { Issuer } from "#apiserver/node/pki/certificate.ts";
import { bitString, objectIdentifier, sequence } from "#apiserver/node/pki/der.ts";

/** What an approved CertificateSigningRequest asks for. */
export interface RequestToSign {
  /** `spec.request`, decoded: PEM. */
  readonly request: string;
  readonly usages: readonly string[];
  readonly expirationSeconds?: number;
}

export interface RequestIssuer extends Issuer {
  /** When the issuer's own certificate ends. */
  readonly notAfterMs: number;
}

/** Upstream's `--cluster-signing-duration`: the longest and the usual life of what is signed. */
const lifeMaxMs = 365 * 24 * 3_600_000;
const lifeMinMs = 10 * 60_000;
const backdateMs = 5 * 60_000;
/** The end of a certificate that lives shorter than this is not moved forward with its beginning. */
const shortMs = 8 * 3_600_000;

/**
 * Signs as upstream's signers do: subject and alternative names are the request's, usages and life the object's.
 * @throws when the requester does not hold the key, or the request cannot be read
 */
export function signRequest(asked: RequestToSign, issuer: RequestIssuer, nowMs: number): string {
  const request = parseCertificateRequest(asked.request);
  checkSignature(request);
  const { raw } = request;
  const lifeMs = lifeOf(asked.expirationSeconds);
  const endMs = nowMs + (lifeMs < shortMs ? lifeMs : lifeMs - backdateMs);
  if (nowMs >= issuer.notAfterMs) throw new Error("the signer has expired");
  return signContent(
    {
      subject: raw.subject,
      publicKey: raw.publicKey,
      notBeforeMs: nowMs - backdateMs,
      notAfterMs: Math.min(endMs, issuer.notAfterMs),
      extensions: [
        ...usageExtensions(asked.usages),
        extension(ids.basicConstraints, sequence(), true),
        ...(raw.alternativeNames === undefined
          ? []
          : [extension(ids.subjectAltName, raw.alternativeNames, isNameless(request))]),
      ],
    },
    issuer,
  );
}

function lifeOf(expirationSeconds: number | undefined): number {
  if (expirationSeconds === undefined) return lifeMaxMs;
  return Math.max(lifeMinMs, Math.min(expirationSeconds * 1000, lifeMaxMs));
}

/** RFC 5280: without a subject the alternative names are critical. */
function isNameless({ raw }: CertificateRequest): boolean {
  return raw.subject.length <= 2;
}

/** @throws unless the request is signed with the key that it holds */
function checkSignature({ raw }: CertificateRequest): void {
  const hash = hashes[raw.algorithm];
  if (hash === undefined) {
    throw new Error(
      `unable to verify certificate request signature: unsupported algorithm ${raw.algorithm}`,
    );
  }
  const key = createPublicKey({ key: Buffer.from(raw.publicKey), format: "der", type: "spki" });
  if (!verify(hash === "" ? null : hash, raw.signed, key, raw.signature)) {
    throw new Error("unable to verify certificate request signature");
  }
}

/** By the signature's algorithm; Ed25519 hashes by itself. SHA-1 is not accepted, as in Go. */
const hashes: Readonly<Record<string, string>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.3.101.112": "",
};

const ids = {
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
};

/** The bits of the keyUsage extension, RFC 5280 section 4.2.1.3. */
const keyBits: Readonly<Record<string, number>> = {
  signing: 0,
  "digital signature": 0,
  "content commitment": 1,
  "key encipherment": 2,
  "data encipherment": 3,
  "key agreement": 4,
  "cert sign": 5,
  "crl sign": 6,
  "encipher only": 7,
  "decipher only": 8,
};

const extendedIds: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": "1.3.6.1.5.5.7.3.1",
  "client auth": "1.3.6.1.5.5.7.3.2",
  "code signing": "1.3.6.1.5.5.7.3.3",
  "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4",
  "ipsec end system": "1.3.6.1.5.5.7.3.5",
  "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
  "ipsec user": "1.3.6.1.5.5.7.3.7",
  timestamping: "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9",
  "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
  "netscape sgc": "2.16.840.1.113730.4.1",
};

function usageExtensions(usages: readonly string[]): Uint8Array[] {
  const unknown = usages.filter((usage) => !(usage in keyBits) && !(usage in extendedIds));
  if (unknown.length > 0) {
    throw new Error(`unrecognized usage values: ${JSON.stringify(unknown)}`);
  }
  const bits = new Set(usages.flatMap((usage) => keyBits[usage] ?? []));
  const extended = new Set(usages.flatMap((usage) => extendedIds[usage] ?? []));
  return [
    ...(bits.size === 0 ? [] : [extension(ids.keyUsage, namedBits(bits), true)]),
    ...(extended.size === 0
      ? []
      : [
          extension(
            ids.extendedKeyUsage,
            sequence(...[...extended].toSorted().map(objectIdentifier)),
            false,
          ),
        ]),
  ];
}

/** A bit string of named bits ends with the last one that is set (X.690 section 11.2.2). */
function namedBits(bits: ReadonlySet<number>): Uint8Array {
  const last = Math.max(...bits);
  const bytes = new Uint8Array(Math.floor(last / 8) + 1);
  for (const bit of bits) {
    const index = Math.floor(bit / 8);
    bytes[index] = (bytes[index] ?? 0) | (0x80 >> (bit % 8));
  }
  return bitString(bytes, 7 - (last % 8));
}
