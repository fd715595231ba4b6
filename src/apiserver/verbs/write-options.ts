import type { StatusCause } from "#api/generated/types.ts";
import { invalid, type StatusError } from "#api/status.ts";

/**
 * Refuses a write whose query asks for what there is not, before anything is done: a misspelt `dryRun` must not
 * become a real write. The texts are upstream's.
 */
export function assertWriteOptions(verb: string, query: URLSearchParams): void {
  const kind = kinds.get(verb);
  if (kind === undefined) return;
  const problems = [
    ...managerProblems(query.get("fieldManager") ?? ""),
    ...dryRunProblems(query.getAll("dryRun").filter((value) => value !== "")),
    ...validationProblems(query.get("fieldValidation") ?? ""),
  ];
  if (problems.length > 0) throw invalidOptions(kind, problems);
}

const kinds: ReadonlyMap<string, string> = new Map([
  ["create", "CreateOptions"],
  ["update", "UpdateOptions"],
  ["patch", "PatchOptions"],
  ["delete", "DeleteOptions"],
  ["deletecollection", "DeleteOptions"],
]);

export function invalidOptions(kind: string, problems: readonly StatusCause[]): StatusError {
  return invalid({ group: "meta.k8s.io", kind }, "", problems);
}

export function dryRunProblems(values: readonly string[]): readonly StatusCause[] {
  if (values.every((value) => value === "All")) return [];
  return [unsupported("dryRun", JSON.stringify(values), ["All"])];
}

function validationProblems(value: string): readonly StatusCause[] {
  const supported = ["", "Ignore", "Strict", "Warn"];
  if (supported.includes(value)) return [];
  return [unsupported("fieldValidation", JSON.stringify(value), supported)];
}

function unsupported(field: string, value: string, supported: readonly string[]): StatusCause {
  const list = supported.map((one) => JSON.stringify(one)).join(", ");
  const message = `Unsupported value: ${value}: supported values: ${list}`;
  return { reason: "FieldValueNotSupported", message, field };
}

const managerBytesMax = 128;
const field = "fieldManager";

function managerProblems(manager: string): readonly StatusCause[] {
  if (encoder.encode(manager).length > managerBytesMax) {
    const message = `Too long: may not be more than ${managerBytesMax} bytes`;
    return [{ reason: "FieldValueTooLong", message, field }];
  }
  const strange = unprintable.exec(manager);
  if (strange === null) return [];
  const point = (strange[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const position = encoder.encode(manager.slice(0, strange.index)).length;
  const message = `Invalid value: ${JSON.stringify(manager)}: invalid character U+${point} (at position ${position})`;
  return [{ reason: "FieldValueInvalid", message, field }];
}

const encoder = new TextEncoder();
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
