import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
} from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { readAmounts } from "#api/quota/amounts.ts";
import { isPodLevelResource, podAmounts } from "#api/quota/pod-amounts.ts";
import { notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { constraintProblems } from "#apiserver/admission/limit-ranger/constraints.ts";
import { objectsIn } from "#apiserver/admission/read-namespace.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";

/** Gives containers the amounts that a namespace's LimitRanges set by default, and holds pods and claims to their bounds. */
export const limitRanger: AdmissionPlugin = {
  name: "LimitRanger",
  mutate(call, attempt) {
    if (attempt.object === undefined || !isLimited(call, attempt)) return;
    if (call.kind.resource !== "pods") return;
    for (const range of rangesOf(call)) fillDefaults(attempt.object, range);
  },
  validate(call, attempt) {
    if (attempt.object === undefined || !isLimited(call, attempt)) return;
    for (const range of rangesOf(call)) assertWithin(call, attempt, range);
  },
};

function isLimited({ kind, info }: Call, { operation, old }: Attempt): boolean {
  if (kind.group !== "" || (operation !== "CREATE" && operation !== "UPDATE")) return false;
  if (stringAt(objectAt(old, "metadata"), "deletionTimestamp") !== "") return false;
  if (kind.resource === "persistentvolumeclaims") return info.subresource === "";
  if (kind.resource !== "pods") return false;
  return operation === "CREATE" ? info.subresource === "" : info.subresource === "resize";
}

function rangesOf(call: Call): readonly LimitRange[] {
  const ranges = objectsIn(
    call.server,
    { group: "", resource: "limitranges" },
    call.info.namespace,
  );
  return ranges as unknown as readonly LimitRange[];
}

/** In place. What was set is told in an annotation. */
function fillDefaults(pod: JsonObject, { spec }: LimitRange): void {
  const items = (spec?.limits ?? []).filter(({ type }) => type === "Container");
  const requests = Object.assign({}, ...items.map((item) => item.defaultRequest ?? {}));
  const limits = Object.assign({}, ...items.map((item) => item.default ?? {}));
  const texts: string[] = [];
  for (const [field, what] of containerFields) {
    for (const container of objectsAt(objectAt(pod, "spec"), field)) {
      const name = `${what} ${stringAt(container, "name")}`;
      for (const [side, defaults] of [
        ["requests", requests],
        ["limits", limits],
      ] as const) {
        const set = fillMissing(container, side, defaults);
        if (set.length > 0) texts.push(`${set.join(", ")} ${side.slice(0, -1)} for ${name}`);
      }
    }
  }
  if (texts.length === 0) return;
  const annotations = ensureObject(ensureObject(pod, "metadata"), "annotations");
  annotations["kubernetes.io/limit-ranger"] = `LimitRanger plugin set: ${texts.join("; ")}`;
}

const containerFields = [
  ["containers", "container"],
  ["initContainers", "init container"],
] as const;

/** Answers the names that were missing, in order. */
function fillMissing(
  container: JsonObject,
  side: "requests" | "limits",
  defaults: Readonly<Record<string, string>>,
): readonly string[] {
  const present = objectAt(objectAt(container, "resources"), side);
  const missing = Object.keys(defaults)
    .filter((name) => present[name] === undefined)
    .toSorted();
  if (missing.length === 0) return missing;
  const amounts = ensureObject(ensureObject(container, "resources"), side);
  for (const name of missing) amounts[name] = defaults[name] ?? "";
  return missing;
}

function assertWithin(call: Call, attempt: Attempt, range: LimitRange): void {
  const object = attempt.object as unknown;
  const check = call.kind.resource === "pods" ? podProblems : claimProblems;
  const problems = (range.spec?.limits ?? []).flatMap((item) => check(item, object as never));
  if (problems.length === 0) return;
  const distinct = [...new Set(problems)];
  const [first = ""] = distinct;
  throw notAdmitted(call, attempt, distinct.length === 1 ? first : `[${distinct.join(", ")}]`);
}

function claimProblems(item: LimitRangeItem, { spec }: PersistentVolumeClaim): readonly string[] {
  if (item.type !== "PersistentVolumeClaim") return [];
  const requests = readAmounts(spec?.resources?.requests);
  return constraintProblems(item, { requests, limits: new Map(), onlyRequests: true });
}

function podProblems(item: LimitRangeItem, pod: Pod): readonly string[] {
  if (item.type === "Container") {
    const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
    return all.flatMap((container) => containerProblems(item, container));
  }
  if (item.type !== "Pod") return [];
  return constraintProblems(item, {
    requests: podAmounts(pod, "requests", counted),
    limits: podAmounts(pod, "limits", counted),
  });
}

function containerProblems(item: LimitRangeItem, { resources }: Container): readonly string[] {
  const [requests, limits] = [readAmounts(resources?.requests), readAmounts(resources?.limits)];
  return constraintProblems(item, { requests, limits });
}

const counted = {
  overhead: false,
  status: false,
  podLevel: isPodLevelResource,
};
