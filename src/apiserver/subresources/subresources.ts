import type { Subresource, Verb } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { patchApproval, updateApproval } from "#apiserver/subresources/approval.ts";
import { bind } from "#apiserver/subresources/binding.ts";
import { connectToPod, readLog } from "#apiserver/subresources/connect.ts";
import { evict } from "#apiserver/subresources/eviction.ts";
import { finalize } from "#apiserver/subresources/finalize.ts";
import { partPatch, partUpdate } from "#apiserver/subresources/pod-parts.ts";
import { proxy } from "#apiserver/subresources/proxy.ts";
import { getScale, patchScale, updateScale } from "#apiserver/subresources/scale.ts";
import { requestToken } from "#apiserver/subresources/token.ts";

type VerbFunction = (call: Call) => Promise<Answer>;

/** What a subresource does in place of the usual verb; undefined where it is the parent object seen through it. */
export function subresourceVerb(subresource: Subresource, verb: Verb): VerbFunction | undefined {
  return special[subresource.name]?.[verb];
}

const everyVerb = (act: VerbFunction): Partial<Record<Verb, VerbFunction>> => ({
  create: act,
  delete: act,
  get: act,
  patch: act,
  update: act,
});

const special: Readonly<Record<string, Partial<Record<Verb, VerbFunction>>>> = {
  approval: { update: updateApproval, patch: patchApproval },
  attach: everyVerb(connectToPod),
  binding: { create: bind },
  ephemeralcontainers: { update: partUpdate, patch: partPatch },
  eviction: { create: evict },
  exec: everyVerb(connectToPod),
  finalize: { update: finalize },
  log: { get: readLog },
  portforward: everyVerb(connectToPod),
  proxy: everyVerb(proxy),
  resize: { update: partUpdate, patch: partPatch },
  scale: { get: getScale, update: updateScale, patch: patchScale },
  token: { create: requestToken },
};
