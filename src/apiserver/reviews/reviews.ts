import type { Kind } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";

/** Kinds that are answered and never stored; undefined for all others. */
export function reviewVerb(kind: Kind): ((call: Call) => Promise<Answer>) | undefined {
  return reviews[`${kind.group}/${kind.kind}`];
}

const reviews: Readonly<Record<string, (call: Call) => Promise<Answer>>> = {};
