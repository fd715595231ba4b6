import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkRequired, checkUnique } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { domainPathProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

const durationMinSeconds = 600;

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
    checkPem(field.child("request"), spec.request ?? "");
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
    if (checkRequired(field.child("signerName"), spec.signerName)) {
      const name = spec.signerName ?? "";
      field.child("signerName").invalidAll(name, domainPathProblems(name));
    }
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
    const before = old.status?.certificate;
    const certificate = root.child("status", "certificate");
    if (before) checkImmutable(certificate, request.status?.certificate, before);
  },
  selectableFields: { "spec.signerName": (request) => request.spec?.signerName ?? "" },
});

/** The request is base64 of a PEM block. */
function checkPem(field: Field, request: string): void {
  let text = "";
  try {
    text = atob(request);
  } catch {
    // What is no base64 is no PEM either; the message below says so.
  }
  if (
    !/-----BEGIN (NEW )?CERTIFICATE REQUEST-----[\s\S]+-----END (NEW )?CERTIFICATE REQUEST-----/.test(
      text,
    )
  ) {
    field.invalid(request, "PEM block type must be CERTIFICATE REQUEST");
  }
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

function checkCondition(field: Field, condition: Given<CertificateSigningRequestCondition>): void {
  checkRequired(field.child("type"), condition.type);
  if (!condition.status) field.child("status").required();
  else if (lasting.includes(condition.type ?? "")) {
    checkOneOf(field.child("status"), condition.status, ["True"]);
  }
}
