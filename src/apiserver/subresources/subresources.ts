import type { Subresource, Verb } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";

type VerbFunction = (call: Call) => Promise<Answer>;

/** What a subresource does in place of the usual verb; undefined where it is the parent object seen through it. */
export function subresourceVerb(subresource: Subresource, verb: Verb): VerbFunction | undefined {
  return special[subresource.name]?.[verb];
}

const special: Readonly<Record<string, Partial<Record<Verb, VerbFunction>>>> = {};
