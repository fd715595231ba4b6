import type { ControllerRevision, PodTemplateSpec } from "#api/generated/types.ts";
import { nameOf, namespaceOf, type KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { sameJson } from "#controllers/same-json.ts";
import { templateHash } from "#controllers/deployment/template-hash.ts";
import { controllerRefTo } from "#reconcile/owners.ts";

export const revisionHashLabel = "controller-revision-hash";

export interface ObservedHistory {
  readonly owner: KubeObject;
  readonly ownerResource: Resource;
  readonly template: PodTemplateSpec;
  readonly collisionCount?: number;
  /** The owner's revisions. */
  readonly revisions: readonly ControllerRevision[];
}

export interface HistoryPlan {
  /** The revision of the template as it is; to be created when `isNew`, to be renumbered when `isRenumbered`. */
  readonly update: ControllerRevision;
  readonly isNew: boolean;
  readonly isRenumbered: boolean;
}

/** The revision that stands for the present template: a known one made the newest again, or a new one. */
export function planHistory(observed: ObservedHistory): HistoryPlan {
  const { revisions, template } = observed;
  const sorted = revisions.toSorted((one, other) => one.revision - other.revision);
  const newest = sorted.at(-1);
  const next = (newest?.revision ?? 0) + 1;
  const data = dataOf(template);
  const equal = sorted.findLast((revision) => sameJson(revision.data, data));
  if (equal === undefined) {
    return { update: revisionOf(observed, data, next), isNew: true, isRenumbered: false };
  }
  if (equal === newest) return { update: equal, isNew: false, isRenumbered: false };
  return { update: { ...equal, revision: next }, isNew: false, isRenumbered: true };
}

/** Revisions beyond the limit that no pod is of, the oldest first. */
export function surplusRevisions(
  revisions: readonly ControllerRevision[],
  live: ReadonlySet<string>,
  limit: number,
): readonly ControllerRevision[] {
  const idle = revisions
    .filter((revision) => !live.has(nameOf(revision)))
    .toSorted((one, other) => one.revision - other.revision);
  return idle.slice(0, Math.max(0, idle.length - limit));
}

/** The template that a revision stands for. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { readonly spec?: { readonly template?: PodTemplateSpec } };
  const { $patch: _patch, ...template } = (data.spec?.template ?? {}) as Record<string, unknown>;
  return template as PodTemplateSpec;
}

/** A patch that puts the template back: what `kubectl rollout undo` sends. */
function dataOf(template: PodTemplateSpec): { readonly spec: { readonly template: object } } {
  return { spec: { template: { ...template, $patch: "replace" } } };
}

function revisionOf(
  { owner, ownerResource, template, collisionCount }: ObservedHistory,
  data: object,
  revision: number,
): ControllerRevision {
  const hash = templateHash(template, collisionCount);
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `${nameOf(owner)}-${hash}`,
      namespace: namespaceOf(owner),
      labels: { ...template.metadata?.labels, [revisionHashLabel]: hash },
      ownerReferences: [controllerRefTo(ownerResource, owner)],
    },
    data: asGoWrites(data) as ControllerRevision["data"],
    revision,
  };
}

/**
 * In the order and with the empty objects that Go's encoder gives a typed template: clients find the revision of a
 * template by comparing texts.
 */
function asGoWrites(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asGoWrites);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value)
    .filter(([, inner]) => inner !== undefined && inner !== null)
    .filter(([, inner]) => !Array.isArray(inner) || inner.length > 0)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(fields.map(([name, inner]) => [name, asGoWrites(inner)]));
}
