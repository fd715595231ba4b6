import {
  bitsOf,
  childrenOf,
  DerError,
  type DerValue,
  derTags,
  expectTag,
  identifierOf,
  readDer,
  textOf,
} from "#api/certificates/der-reader.ts";
import { pemBlocks } from "#api/certificates/pem.ts";

/** A request for a certificate (PKCS #10, RFC 2986), read but not verified. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
  /** As they stand in the request, to be copied into a certificate. */
  readonly raw: {
    readonly subject: Uint8Array;
    /** SubjectPublicKeyInfo. */
    readonly publicKey: Uint8Array;
    /** The content of the subjectAltName extension, when there is one. */
    readonly alternativeNames?: Uint8Array;
    /** What the requester signed. */
    readonly signed: Uint8Array;
    readonly signature: Uint8Array;
    /** The signature's algorithm, as a dotted identifier. */
    readonly algorithm: string;
  };
}

/**
 * Reads `spec.request` of a CertificateSigningRequest, decoded: a PEM block. What follows the first block is ignored,
 * as upstream does.
 * @throws with upstream's words when it is none
 */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const [block] = pemBlocks(pem);
  if (block?.type !== "CERTIFICATE REQUEST") {
    throw new DerError("PEM block type must be CERTIFICATE REQUEST");
  }
  const [information, algorithm, signature] = childrenOf(
    expectTag(readDer(block.bytes), derTags.sequence),
  );
  const signed = expectTag(information, derTags.sequence);
  const [version, subject, publicKey, attributes] = childrenOf(signed);
  expectTag(version, derTags.integer);
  const name = expectTag(subject, derTags.sequence);
  const names = alternativeNamesOf(attributes);
  return {
    ...subjectOf(name),
    ...namesIn(names),
    raw: {
      subject: name.whole,
      publicKey: expectTag(publicKey, derTags.sequence).whole,
      ...(names !== undefined && { alternativeNames: names }),
      signed: signed.whole,
      signature: bitsOf(signature),
      algorithm: identifierOf(childrenOf(expectTag(algorithm, derTags.sequence))[0]),
    },
  };
}

const ids = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  extensionRequest: "1.2.840.113549.1.9.14",
  subjectAltName: "2.5.29.17",
};

function subjectOf(name: DerValue): Pick<CertificateRequest, "commonName" | "organizations"> {
  let commonName = "";
  const organizations: string[] = [];
  for (const part of childrenOf(name)) {
    for (const attribute of childrenOf(expectTag(part, derTags.set))) {
      const [id, value] = childrenOf(expectTag(attribute, derTags.sequence));
      const type = identifierOf(id);
      if (type === ids.commonName) commonName = textOf(value);
      if (type === ids.organization) organizations.push(textOf(value));
    }
  }
  return { commonName, organizations };
}

/** The subjectAltName that the request asks for among its extensions. */
function alternativeNamesOf(attributes: DerValue | undefined): Uint8Array | undefined {
  if (attributes === undefined) return undefined;
  for (const attribute of childrenOf(attributes)) {
    const [id, values] = childrenOf(expectTag(attribute, derTags.sequence));
    if (identifierOf(id) !== ids.extensionRequest) continue;
    const [extensions] = childrenOf(expectTag(values, derTags.set));
    for (const extension of childrenOf(expectTag(extensions, derTags.sequence))) {
      const parts = childrenOf(expectTag(extension, derTags.sequence));
      if (identifierOf(parts[0]) === ids.subjectAltName) {
        return expectTag(parts.at(-1), derTags.octetString).content;
      }
    }
  }
  return undefined;
}

type Names = Pick<CertificateRequest, "dnsNames" | "ipAddresses" | "emailAddresses" | "uris">;

const nameTags = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 };

function namesIn(extension: Uint8Array | undefined): Names {
  const all =
    extension === undefined ? [] : childrenOf(expectTag(readDer(extension), derTags.sequence));
  const contents = (tag: number): Uint8Array[] =>
    all.filter((name) => name.tag === tag).map((name) => name.content);
  const texts = (tag: number): string[] => contents(tag).map(asciiText);
  return {
    dnsNames: texts(nameTags.dns),
    emailAddresses: texts(nameTags.email),
    uris: texts(nameTags.uri),
    ipAddresses: contents(nameTags.ip).map(addressText),
  };
}

function asciiText(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte >= 0x80)) throw new DerError("x509: SAN is malformed");
  return new TextDecoder().decode(bytes);
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) {
    throw new DerError(`x509: cannot parse IP address of length ${bytes.length}`);
  }
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  // The URL standard writes the shortest form.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
