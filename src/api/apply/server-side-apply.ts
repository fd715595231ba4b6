import { rfc3339 } from "#base/clock.ts";
import type { ManagedFieldsEntry } from "#api/generated/types.ts";
import { isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { StatusError, badRequest } from "#api/status.ts";
import { changedBy, compareObjects } from "#api/apply/compare.ts";
import { conflictError, type Conflict } from "#api/apply/conflicts.ts";
import {
  differenceOf,
  intersectionOf,
  isEmptySet,
  sortedSet,
  withoutSubtrees,
  type FieldSet,
} from "#api/apply/field-set.ts";
import { fieldsOf } from "#api/apply/fields-of.ts";
import { clientSideApplied, syncLastApplied } from "#api/apply/last-applied.ts";
import {
  isSameManager,
  readManagers,
  writeManagers,
  type Manager,
  type Writer,
} from "#api/apply/managers.ts";
import { mergeObjects } from "#api/apply/merge.ts";
import {
  resetFieldsOf,
  serverFields,
  withManagedFields,
  withoutManagedFields,
  withoutServerFields,
} from "#api/apply/owned-fields.ts";
import { prune } from "#api/apply/prune.ts";
import { reconcileManagers } from "#api/apply/reconcile-topology.ts";
import { recordUpdate, withoutChanged } from "#api/apply/update-managed-fields.ts";

export interface ApplyOptions {
  /** The stored object; undefined where the apply creates it. */
  readonly live: JsonObject | undefined;
  /** The applied configuration: what its manager wants to own, and nothing else. */
  readonly applied: JsonObject;
  readonly manager: string;
  /** Takes fields over from other managers instead of refusing. */
  readonly force: boolean;
  /** Of the endpoint: `apps/v1`. */
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly schema: Schema;
  readonly nowMs: number;
  /** The fields that this path does not change; by default those of `resetFieldsOf`. */
  readonly resetFields?: FieldSet;
}

export interface Applied {
  /** The merged object, its `metadata.managedFields` included; not yet defaulted or validated. */
  readonly object: JsonObject;
  readonly managedFields: readonly ManagedFieldsEntry[];
  /** False when the object, apart from who owns what, is as it was. */
  readonly changed: boolean;
}

/**
 * Server-side apply (KEP-555): merges the configuration into the live object along the schema, removes what this
 * manager applied before, does not any more, and nobody else owns, and records who owns what. Throws a 409 with a
 * cause for each field that another manager owns with another value, unless forced.
 */
export function applyServerSide(options: ApplyOptions): Applied {
  const { applied, schema } = options;
  assertApplicable(options);
  const fields = appliedFields(options);
  const live = withoutManagedFields(options.live ?? {});
  const managers = startingManagers(options);
  const writer = writerOf(options);
  const previous = managers.find((one) => isSameManager(one, writer));
  const others = managers.filter((one) => one !== previous);
  const merged = mergeObjects(live, withoutNullMetadata(applied), schema);
  const managed = [fields, ...others.map((one) => one.fields)];
  const pruned = prune(merged, previous?.fields, { managed, schema });
  const comparison = compareObjects(withoutServerFields(live), withoutServerFields(pruned), schema);
  const reset = resetOf(options);
  assertNoConflicts(options, others, withoutSubtrees(changedBy(comparison), reset));
  const changed = !jsonEqual(live, pruned);
  const mine = ownEntry({ writer, fields, previous, changed, nowMs: options.nowMs });
  const managedFields = writeManagers([...withoutChanged(others, comparison, reset), mine]);
  const object = options.manager === "kubectl" ? syncLastApplied(pruned, applied) : pruned;
  return { object: withManagedFields(object, managedFields), managedFields, changed };
}

const beforeFirstApply = "before-first-apply";

function assertApplicable({ applied, apiVersion }: ApplyOptions): void {
  if (applied["apiVersion"] !== apiVersion) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${text(applied["apiVersion"])}, expected: ${apiVersion}`,
    );
  }
  const metadata = applied["metadata"];
  if (isObject(metadata) && (metadata["managedFields"] ?? null) !== null) {
    throw badRequest("metadata.managedFields must be nil");
  }
}

/** The fields the configuration names, without those that nobody owns or that this path does not change. */
function appliedFields(options: ApplyOptions): FieldSet {
  const { fields, problems } = fieldsOf(options.applied, options.schema);
  if (problems.length > 0) throw untypable(options.applied, problems);
  return withoutSubtrees(differenceOf(fields, serverFields), resetOf(options));
}

/** Upstream answers a configuration that does not fit the schema with an unspecific 500; its text is kept. */
function untypable(applied: JsonObject, problems: readonly string[]): StatusError {
  const metadata = isObject(applied["metadata"]) ? applied["metadata"] : {};
  const name = `${text(metadata["namespace"])}/${text(metadata["name"])}`;
  const why = problems.length === 1 ? problems[0] : ["errors:", ...problems].join("\n  ");
  return new StatusError({
    code: 500,
    reason: "",
    message: `failed to create typed patch object (${name}; ${text(applied["apiVersion"])}, Kind=${text(applied["kind"])}): ${why}`,
  });
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** An object from before its managers were recorded gets one that owns all it has. */
function startingManagers(options: ApplyOptions): Manager[] {
  const { live } = options;
  if (live === undefined) return [];
  const metadata = live["metadata"];
  const managers = readManagers(isObject(metadata) ? metadata["managedFields"] : undefined);
  if (managers.length > 0) return reconcileManagers(managers, options);
  return recordUpdate([], { ...options, old: undefined, new: live, manager: beforeFirstApply });
}

function writerOf(options: ApplyOptions): Writer {
  const { manager, apiVersion, subresource = "" } = options;
  return { manager, operation: "Apply", apiVersion, subresource };
}

/** `kubectl` may take over what its own client-side apply has set before. */
function assertNoConflicts(
  options: ApplyOptions,
  others: readonly Manager[],
  changed: FieldSet,
): void {
  if (options.force || isEmptySet(changed)) return;
  const conflicts = conflictsOf(others, changed);
  if (conflicts.length === 0) return;
  if (options.manager !== "kubectl") throw conflictError(conflicts);
  const allowed = clientSideApplied(options.live ?? {}, options.schema, options.apiVersion);
  const left = conflicts
    .map(({ manager, fields }) => ({ manager, fields: differenceOf(fields, allowed) }))
    .filter(({ fields }) => !isEmptySet(fields));
  if (left.length > 0) throw conflictError(left);
}

function conflictsOf(others: readonly Manager[], changed: FieldSet): Conflict[] {
  return others
    .map((manager) => ({ manager, fields: intersectionOf(manager.fields, changed) }))
    .filter(({ fields }) => !isEmptySet(fields));
}

function ownEntry(applied: {
  readonly writer: Writer;
  readonly fields: FieldSet;
  readonly previous: Manager | undefined;
  readonly changed: boolean;
  readonly nowMs: number;
}): Manager {
  const { writer, fields, previous, changed } = applied;
  const sorted = sortedSet(fields);
  if (previous !== undefined && !changed) {
    const same = isSameSet(previous, writer, sorted);
    return same ? previous : { ...writer, time: previous.time, fields: sorted };
  }
  return { ...writer, time: rfc3339(applied.nowMs), fields: sorted };
}

function isSameSet(previous: Manager, writer: Writer, fields: FieldSet): boolean {
  return (
    previous.apiVersion === writer.apiVersion &&
    isEmptySet(differenceOf(previous.fields, fields)) &&
    isEmptySet(differenceOf(fields, previous.fields))
  );
}

function resetOf(options: ApplyOptions): FieldSet {
  return options.resetFields ?? resetFieldsOf(options.schema, options.subresource ?? "");
}

/** `creationTimestamp: null` and the like, which printers of manifests write, say nothing. */
function withoutNullMetadata(applied: JsonObject): JsonObject {
  if (!isObject(applied["metadata"])) return applied;
  const metadata = Object.entries(applied["metadata"]).filter(([, value]) => value !== null);
  return { ...applied, metadata: Object.fromEntries(metadata) };
}
