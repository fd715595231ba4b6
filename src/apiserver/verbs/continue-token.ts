import { badRequest, StatusError } from "#api/status.ts";

/** Where a chunked list goes on: the snapshot's revision, and the last key that was given out. */
export interface ContinueToken {
  /** -1: the snapshot is gone; go on with what there is now. */
  readonly revision: number;
  /** Within the collection, without its prefix. */
  readonly afterKey: string;
}

export function encodeContinue(token: ContinueToken): string {
  const content = { v: "meta.k8s.io/v1", rv: token.revision, start: `${token.afterKey}\u0000` };
  return encodeBase64Url(JSON.stringify(content));
}

export function decodeContinue(text: string): ContinueToken {
  const content = parse(text);
  const { v, rv, start } = content;
  if (v !== "meta.k8s.io/v1") {
    const version = typeof v === "string" ? v : "";
    throw refusal(`: server does not recognize this encoded version ${version}`);
  }
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0) {
    throw refusal(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  }
  if (typeof start !== "string" || start === "") {
    throw refusal(": encoded start key empty (version meta.k8s.io/v1)");
  }
  if (start.length > startLettersMax) throw refusal("");
  if (!isWithin(start)) throw refusal(`: ${start}`);
  return {
    revision: Math.max(rv, -1),
    afterKey: start.endsWith("\u0000") ? start.slice(0, -1) : start,
  };
}

const startLettersMax = 2_048;

/** A client makes tokens up as it likes: none may lead out of the collection. */
function isWithin(start: string): boolean {
  const segments = start.replace(/^\//, "").split("/");
  return segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

function refusal(why: string): StatusError {
  return badRequest(`invalid continue token: continue key is not valid${why}`);
}

/** The refusal for a token whose snapshot was compacted, with a token that goes on without it. */
export function expiredContinue(token: ContinueToken): StatusError {
  const refusal = new StatusError({
    code: 410,
    reason: "Expired",
    message:
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
  });
  Object.assign(refusal.status, {
    metadata: { continue: encodeContinue({ revision: -1, afterKey: token.afterKey }) },
  });
  return refusal;
}

function parse(text: string): Record<string, unknown> {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), letterCode);
    const content: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof content === "object" && content !== null) return content as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof DOMException)) throw error;
  }
  throw refusal("");
}

function letterCode(letter: string): number {
  return letter.charCodeAt(0);
}

function encodeBase64Url(text: string): string {
  const letters = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  return btoa(letters.join("")).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
