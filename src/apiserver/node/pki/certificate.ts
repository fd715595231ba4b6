import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";
import { bitsOf, childrenOf, readDer } from "#api/certificates/der-reader.ts";
import { pemOf } from "#api/certificates/pem.ts";
import {
  bitString,
  boolean,
  context,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from "#apiserver/node/pki/der.ts";

/** A private key and its certificate, both in PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

export interface Subject {
  readonly commonName: string;
  /** Kubernetes reads these as the user's groups. */
  readonly organizations?: readonly string[];
}

export interface CertificateRequest {
  readonly subject: Subject;
  readonly use: "authority" | "server" | "client" | "server-and-client";
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** Makes a P-256 key pair and a certificate for it, signed by `issuer`, or by itself when there is none. */
export function issueCertificate(request: CertificateRequest, issuer?: Issuer): KeyAndCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = issuer ?? { subject: request.subject, key: privateKey };
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificate: signCertificate(request, publicKey, signer),
  };
}

/** Who signs: its private key and its name as it stands in its own certificate. */
export interface Issuer {
  readonly subject: Subject;
  readonly key: KeyObject;
}

/** A certificate (RFC 5280, ECDSA with SHA-256) for a public key somebody else made. */
export function signCertificate(
  request: CertificateRequest,
  publicKey: KeyObject,
  issuer: Issuer,
): string {
  const content = {
    ...request,
    subject: nameOf(request.subject),
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    extensions: [...usageExtensions(request), ...alternativeNames(request)],
  };
  return signContent(content, issuer);
}

/** What a certificate says, already encoded where it is taken over from a request. */
export interface CertificateContent {
  readonly subject: Uint8Array;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Beside the identifiers of both keys. */
  readonly extensions: readonly Uint8Array[];
}

export function signContent(content: CertificateContent, issuer: Issuer): string {
  const serial = randomBytes(16);
  const algorithm = sequence(objectIdentifier(ids.ecdsaWithSha256));
  const issuerKey = createPublicKey(issuer.key.export({ type: "pkcs8", format: "pem" }));
  const issuerSpki = issuerKey.export({ type: "spki", format: "der" });
  const identifiers = [
    extension(ids.subjectKeyIdentifier, octetString(keyIdentifier(content.publicKey)), false),
    extension(
      ids.authorityKeyIdentifier,
      sequence(context(0, keyIdentifier(issuerSpki), false)),
      false,
    ),
  ];
  const body = sequence(
    context(0, integer(Uint8Array.of(2)), true),
    integer(serial),
    algorithm,
    nameOf(issuer.subject),
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    content.subject,
    content.publicKey,
    context(3, sequence(...content.extensions, ...identifiers), true),
  );
  const signature = sign("sha256", body, issuer.key);
  return pemOf("CERTIFICATE", sequence(body, algorithm, bitString(signature)));
}

const ids = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
};

export function nameOf(subject: Subject): Uint8Array {
  const attribute = (id: string, text: string): Uint8Array =>
    set(sequence(objectIdentifier(id), utf8String(text)));
  return sequence(
    ...(subject.organizations ?? []).map((name) => attribute(ids.organization, name)),
    attribute(ids.commonName, subject.commonName),
  );
}

function usageExtensions(request: CertificateRequest): Uint8Array[] {
  const authority = request.use === "authority";
  return [
    extension(ids.basicConstraints, authority ? sequence(boolean(true)) : sequence(), true),
    extension(
      ids.keyUsage,
      authority ? keyUsage.signCertificates : keyUsage.digitalSignature,
      true,
    ),
    ...(authority ? [] : [extension(ids.extendedKeyUsage, extendedUsage(request.use), false)]),
  ];
}

const keyUsage = {
  /** digitalSignature, keyCertSign and cRLSign: bits 0, 5 and 6. */
  signCertificates: bitString(Uint8Array.of(0b1000_0110), 1),
  digitalSignature: bitString(Uint8Array.of(0b1000_0000), 7),
};

function extendedUsage(use: CertificateRequest["use"]): Uint8Array {
  const uses = [
    ...(use === "client" ? [] : [ids.serverAuth]),
    ...(use === "server" ? [] : [ids.clientAuth]),
  ];
  return sequence(...uses.map(objectIdentifier));
}

/** The subjectAltName extension; none without names. */
export function alternativeNames(
  request: Pick<CertificateRequest, "dnsNames" | "ipAddresses">,
): Uint8Array[] {
  const names = [
    ...(request.dnsNames ?? []).map((name) => context(2, Buffer.from(name, "ascii"), false)),
    ...(request.ipAddresses ?? []).map((address) => context(7, addressBytes(address), false)),
  ];
  return names.length === 0 ? [] : [extension(ids.subjectAltName, sequence(...names), false)];
}

export function extension(id: string, value: Uint8Array, critical: boolean): Uint8Array {
  return sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** The SHA-1 of the public key's bits, RFC 5280 section 4.2.1.2 method 1. */
function keyIdentifier(spki: Uint8Array): Uint8Array {
  return createHash("sha1").update(subjectPublicKey(spki)).digest();
}

/** The bits of the key without its algorithm: method 1 of the RFC. */
function subjectPublicKey(spki: Uint8Array): Uint8Array {
  return bitsOf(childrenOf(readDer(spki))[1]);
}

function addressBytes(address: string): Uint8Array {
  return isIPv4(address) ? Uint8Array.from(address.split(".").map(Number)) : ipv6Bytes(address);
}

function ipv6Bytes(address: string): Uint8Array {
  const [head = "", tail] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return Uint8Array.from(
    [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]),
  );
}
