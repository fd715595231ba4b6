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
  if (v !== "meta.k8s.io/v1" || typeof rv !== "number" || typeof start !== "string") {
    throw badRequest(
      `continue key is not valid: server does not recognize this encoded version ${JSON.stringify(v ?? "")}`,
    );
  }
  if (!Number.isSafeInteger(rv) || rv < -1 || rv === 0 || start.length > startLettersMax) {
    throw badRequest(
      "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
    );
  }
  return { revision: rv, afterKey: start.endsWith("\u0000") ? start.slice(0, -1) : start };
}

const startLettersMax = 2_048;

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
  throw badRequest("continue key is not valid");
}

function letterCode(letter: string): number {
  return letter.charCodeAt(0);
}

function encodeBase64Url(text: string): string {
  const letters = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  return btoa(letters.join("")).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
