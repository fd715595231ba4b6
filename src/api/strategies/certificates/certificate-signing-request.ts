import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from "#api/generated/types.ts";
import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import { DerError } from "#api/certificates/der-reader.ts";
import { pemBlocks } from "#api/certificates/pem.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkRequired, checkUnique } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { domainPathProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

const durationMinSeconds = 600;
const legacySigner = "kubernetes.io/legacy-unknown";

const usages = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];

export const certificateSigningRequestStrategy = strategyFor<CertificateSigningRequest>({
  nameRule: "pathSegment",
  hasGeneration: false,
  prepareForCreate(request) {
    request.status = {};
  },
  validate(root, request) {
    const field = root.child("spec");
    const spec = request.spec ?? {};
    checkRequest(field.child("request"), spec.request ?? "");
    const named = itemsOf(spec.usages);
    if (named.length === 0) field.child("usages").required("usages must be specified");
    for (const [index, usage] of named.entries()) {
      checkOneOf(field.child("usages").index(index), usage, usages);
    }
    checkUnique(
      named,
      (usage) => usage,
      (index, usage) => field.child("usages").index(index).duplicate(usage),
    );
    const signer = field.child("signerName");
    const name = spec.signerName ?? "";
    if (name === legacySigner) {
      signer.invalid(name, "the legacy signerName is not allowed via this API version");
    } else if (checkRequired(signer, name)) signer.invalidAll(name, domainPathProblems(name));
    const seconds = spec.expirationSeconds;
    if (typeof seconds === "number" && seconds < durationMinSeconds) {
      const rule = `may not specify a duration less than ${durationMinSeconds} seconds (10 minutes)`;
      field.child("expirationSeconds").invalid(seconds, rule);
    }
  },
  validateUpdate(root, request, old) {
    checkImmutable(root.child("spec"), request.spec, old.spec);
    checkConditions(root.child("status", "conditions"), request, old);
  },
  validateStatusUpdate(root, request, old) {
    checkConditions(root.child("status", "conditions"), request, old);
    checkNotDecided(root.child("status", "conditions"), request, old);
    const before = old.status?.certificate;
    const certificate = root.child("status", "certificate");
    if (before) checkImmutable(certificate, request.status?.certificate, before);
    else checkCertificate(root, request.status?.certificate);
  },
  selectableFields: { "spec.signerName": (request) => request.spec?.signerName ?? "" },
});

/** The request is base64 of a PEM block. Whether its signature is good is seen by who signs. */
function checkRequest(field: Field, request: string): void {
  try {
    parseCertificateRequest(atob(request));
  } catch (error) {
    field.invalid(request, error instanceof DerError ? error.message : malformed);
  }
}

const malformed = "PEM block type must be CERTIFICATE REQUEST";

/** What the signer writes is PEM, and nothing but certificates. */
function checkCertificate(root: Field, certificate: string | null | undefined): void {
  if (!certificate) return;
  const problem = certificateProblem(decoded(certificate));
  if (problem !== undefined) {
    root.child("status", "certificate").invalid("<certificate data>", problem);
  }
}

/** What is no base64 holds no PEM either. */
function decoded(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return "";
  }
}

function certificateProblem(text: string): string | undefined {
  const blocks = pemBlocks(text);
  const other = blocks.find((block) => block.type !== "CERTIFICATE");
  if (other) return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(other.type)}`;
  if (blocks.some((block) => block.hasHeaders)) return "no PEM block headers are permitted";
  return blocks.length === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined;
}

const lasting = ["Approved", "Denied", "Failed"];

/** An approval or denial is final. */
function checkConditions(
  field: Field,
  request: Given<CertificateSigningRequest>,
  old: Given<CertificateSigningRequest>,
): void {
  const conditions = itemsOf(request.status?.conditions);
  for (const [index, condition] of conditions.entries()) {
    checkCondition(field.index(index), condition);
  }
  checkUnique(
    conditions,
    (condition) => condition.type ?? "",
    (index, type) => field.index(index).child("type").duplicate(type),
  );
  const types = new Set(conditions.map((condition) => condition.type));
  if (types.has("Approved") && types.has("Denied")) {
    field.invalid("Denied", "Approved and Denied conditions are mutually exclusive");
  }
  for (const before of itemsOf(old.status?.conditions)) {
    if (lasting.includes(before.type ?? "") && !types.has(before.type)) {
      field.forbidden(`updates may not remove a condition of type ${JSON.stringify(before.type)}`);
    }
  }
}

/** Only the approval's own path approves or denies. */
function checkNotDecided(
  field: Field,
  request: Given<CertificateSigningRequest>,
  old: Given<CertificateSigningRequest>,
): void {
  for (const type of ["Approved", "Denied"]) {
    const of = (one: Given<CertificateSigningRequest>) =>
      itemsOf(one.status?.conditions).filter((condition) => condition.type === type);
    if (of(request).length > of(old).length) {
      field.forbidden(`updates may not add a condition of type ${JSON.stringify(type)}`);
    }
  }
}

function checkCondition(field: Field, condition: Given<CertificateSigningRequestCondition>): void {
  checkRequired(field.child("type"), condition.type);
  if (!condition.status) field.child("status").required();
  else if (lasting.includes(condition.type ?? "")) {
    checkOneOf(field.child("status"), condition.status, ["True"]);
  }
}
