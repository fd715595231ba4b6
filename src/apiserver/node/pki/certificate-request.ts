import { createPublicKey, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { pemOf } from "#api/certificates/pem.ts";
import { alternativeNames, nameOf } from "#apiserver/node/pki/certificate.ts";
import type { Subject } from "#apiserver/node/pki/certificate.ts";
import {
  bitString,
  context,
  integer,
  objectIdentifier,
  sequence,
  set,
} from "#apiserver/node/pki/der.ts";

export interface RequestedCertificate {
  readonly subject: Subject;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** A request for a certificate (PKCS #10, RFC 2986) in PEM, signed with the P-256 key it is for. */
export function createCertificateRequest(wanted: RequestedCertificate, key: KeyObject): string {
  const publicKey = createPublicKey(key.export({ type: "pkcs8", format: "pem" }));
  const extensions = alternativeNames(wanted);
  const attributes = extensions.map((extension) =>
    sequence(objectIdentifier(extensionRequest), set(sequence(extension))),
  );
  const information = sequence(
    integer(Uint8Array.of(0)),
    nameOf(wanted.subject),
    publicKey.export({ type: "spki", format: "der" }),
    context(0, Buffer.concat(attributes), true),
  );
  const request = sequence(
    information,
    sequence(objectIdentifier(ecdsaWithSha256)),
    bitString(sign("sha256", information, key)),
  );
  return pemOf("CERTIFICATE REQUEST", request);
}

const extensionRequest = "1.2.840.113549.1.9.14";
const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
