import { badRequest } from "#api/status.ts";
import type { DecodedBody } from "#api/decode/decode-body.ts";

/** The `fieldValidation` of a request. */
export type FieldValidation = "Ignore" | "Warn" | "Strict";

/** Who a refusal speaks about: `Deployment in version "v1" cannot be handled as a Deployment: …`. */
export interface Subject {
  readonly kind: string;
  readonly version: string;
}

/**
 * Joins what the text and the fields of a body gave rise to, in the order of the text. Returns the warnings for
 * `Warn`; throws the 400 for `Strict`.
 */
export function reportFindings(
  unknown: readonly string[],
  mode: FieldValidation,
  about: { readonly body?: DecodedBody; readonly subject?: Subject } = {},
): string[] {
  if (mode === "Ignore") return [];
  const messages = messagesOf(unknown, about.body);
  if (messages.length === 0 || mode === "Warn") return messages;
  throw handledAs(`strict decoding error: ${messages.join(", ")}`, about.subject);
}

/** The 400 for a body that cannot be read as its kind. */
export function handledAs(problem: string, subject: Subject | undefined): Error {
  if (subject === undefined) return badRequest(problem);
  const { kind, version } = subject;
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${problem}`,
  );
}

/** More are not reported, as upstream. */
const findingsMax = 100;

function messagesOf(unknown: readonly string[], body: DecodedBody | undefined): string[] {
  const ofFields = unknown.map((path) => `unknown field "${path}"`);
  const ofText = body?.findings ?? [];
  if (ofText.length === 0) return ofFields.slice(0, findingsMax);
  const known = ofText.filter(({ path }) => path === undefined || !isInside(path, unknown));
  const placed = [
    ...known,
    ...unknown.map((path, index) => ({
      message: ofFields[index] ?? "",
      place: body?.placeOf?.(path) ?? index,
    })),
  ];
  return placed
    .toSorted((a, b) => a.place - b.place)
    .map(({ message }) => message)
    .slice(0, findingsMax);
}

function isInside(path: string, unknown: readonly string[]): boolean {
  return unknown.some(
    (outer) => path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`),
  );
}
