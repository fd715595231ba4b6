import type { JsonObject, Kind } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import type { ResourceHook } from "#apiserver/hooks/resource-hooks.ts";
import {
  cloneJson,
  ensureObject,
  numberAt,
  objectAt,
  sameJson,
  stringAt,
  stringsAt,
} from "#apiserver/objects/json.ts";

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
  readonly orphanDependents?: boolean;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export type Deletion =
  | { readonly kind: "remove" }
  /** The object stays for now, with its deletion time or other finalizers. */
  | { readonly kind: "mark"; readonly object: JsonObject }
  /** It is being deleted already, and this request changes nothing. */
  | { readonly kind: "wait" };

interface Circumstances {
  readonly kind: Kind;
  readonly hook: ResourceHook;
  readonly nowMs: number;
}

/** Decides what a DELETE does to an object, after upstream's `BeforeDelete` and garbage-collection finalizers. */
export function planDeletion(
  old: JsonObject,
  options: DeleteOptions,
  circumstances: Circumstances,
): Deletion {
  const { kind, hook, nowMs } = circumstances;
  if (isPending(old, options)) return { kind: "wait" };
  const object = cloneJson(old);
  const metadata = ensureObject(object, "metadata");
  const finalizers = finalizersAfter(stringsAt(metadata, "finalizers"), options, kind);
  if (finalizers.length === 0) delete metadata.finalizers;
  else metadata.finalizers = finalizers;
  const graceSeconds = setTimes(object, { kind, options, nowMs });
  const removable = finalizers.length === 0 && (hook.mayRemove?.(object) ?? true);
  if (removable && graceSeconds === 0) return { kind: "remove" };
  hook.markDeleting?.(object);
  if (sameJson(object, old)) return { kind: "wait" };
  if (stringAt(objectAt(old, "metadata"), "deletionTimestamp") === "") countUp(metadata);
  return { kind: "mark", object };
}

/** While a grace period runs a DELETE can make it shorter and nothing else. */
function isPending(old: JsonObject, options: DeleteOptions): boolean {
  const left = numberAt(objectAt(old, "metadata"), "deletionGracePeriodSeconds") ?? 0;
  const asked = askedSeconds(options);
  return left > 0 && (asked === undefined || asked >= left);
}

/** A negative period is one second. */
function askedSeconds({ gracePeriodSeconds }: DeleteOptions): number | undefined {
  return gracePeriodSeconds !== undefined && gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;
}

interface Timing {
  readonly kind: Kind;
  readonly options: DeleteOptions;
  readonly nowMs: number;
}

/** In place: when the object is to be gone. Answers how many seconds of grace remain to it. */
function setTimes(object: JsonObject, timing: Timing): number {
  const metadata = ensureObject(object, "metadata");
  const deletionTime = stringAt(metadata, "deletionTimestamp");
  if (deletionTime !== "") return shorten(metadata, deletionTime, timing);
  const { kind, options } = timing;
  const seconds = kind.strategy.gracePeriodSeconds?.(object, askedSeconds(options)) ?? 0;
  metadata.deletionTimestamp = rfc3339(timing.nowMs + seconds * 1_000);
  metadata.deletionGracePeriodSeconds = seconds;
  return seconds;
}

/** A second DELETE may only shorten what is left, and not to a time that is past. */
function shorten(metadata: JsonObject, deletionTime: string, timing: Timing): number {
  const before = numberAt(metadata, "deletionGracePeriodSeconds") ?? 0;
  const asked = askedSeconds(timing.options);
  if (asked === undefined || asked >= before) return before;
  const endMs = Date.parse(deletionTime) + (asked - before) * 1_000;
  const seconds = endMs < timing.nowMs ? Math.min(asked, 1) : asked;
  metadata.deletionTimestamp = rfc3339(Math.max(endMs, timing.nowMs));
  metadata.deletionGracePeriodSeconds = seconds;
  return seconds;
}

function finalizersAfter(
  present: readonly string[],
  options: DeleteOptions,
  { strategy }: Kind,
): string[] {
  const policy = strategy.dependents === "unsupported" ? "Background" : policyOf(options);
  const others = present.filter((name) => name !== orphanFinalizer && name !== foregroundFinalizer);
  if (policy === "Orphan") return [...others, orphanFinalizer];
  if (policy === "Foreground") return [...others, foregroundFinalizer];
  if (policy === "Background") return others;
  const decided = others.length < present.length;
  return strategy.dependents === "orphan" && !decided ? [...others, orphanFinalizer] : [...present];
}

/** Undefined when the request leaves it to the object's finalizers, then to its kind. */
function policyOf({ propagationPolicy, orphanDependents }: DeleteOptions): string | undefined {
  if (orphanDependents === undefined) return propagationPolicy;
  return orphanDependents ? "Orphan" : "Background";
}

const orphanFinalizer = "orphan";
const foregroundFinalizer = "foregroundDeletion";

function countUp(metadata: JsonObject): void {
  const generation = numberAt(metadata, "generation") ?? 0;
  if (generation > 0) metadata.generation = generation + 1;
}
