import { rfc3339 } from "#base/clock.ts";
import type { ManagedFieldsEntry } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";
import { isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { changedBy, compareObjects, isSame, type Comparison } from "#api/apply/compare.ts";
import {
  differenceOf,
  emptySet,
  isEmptySet,
  unionOf,
  withoutSubtrees,
  type FieldSet,
} from "#api/apply/field-set.ts";
import {
  capManagers,
  isSameManager,
  readManagers,
  readSentManagers,
  withFields,
  writeManagers,
  type Manager,
  type Writer,
} from "#api/apply/managers.ts";
import { resetFieldsOf, withoutServerFields } from "#api/apply/owned-fields.ts";
import { reconcileManagers } from "#api/apply/reconcile-topology.ts";

export interface ManagedUpdate {
  /** The stored object; undefined on create. */
  readonly old: JsonObject | undefined;
  /** The object that will be stored. It may carry managed fields that the client sent. */
  readonly new: JsonObject;
  readonly manager: string;
  readonly operation?: "Update";
  /** "" or undefined is the main resource. */
  readonly subresource?: string;
  /** Of the object: `apps/v1`. */
  readonly apiVersion: string;
  readonly schema: Schema;
  readonly nowMs: number;
  /** The fields that this path does not change; by default those of `resetFieldsOf`. */
  readonly resetFields?: FieldSet;
}

/**
 * The `managedFields` after a write that is not an apply: who changed fields owns them from now on, and others lose
 * them. A stored object that has no managers stays without. A client that sends an empty list clears them. An entry's
 * time changes only when its manager has added or changed fields.
 */
export function updateManagedFields(update: ManagedUpdate): readonly ManagedFieldsEntry[] {
  const managers = reconcileManagers(startingManagers(update), update);
  if (managers.length === 0 && update.old !== undefined) return [];
  const next = recordUpdate(managers, update);
  return writeManagers(capManagers(next, unionOf));
}

/** The managers after an update of `old` to `new`, before any are folded. */
export function recordUpdate(managers: readonly Manager[], update: ManagedUpdate): Manager[] {
  const subresource = update.subresource ?? "";
  const reset = update.resetFields ?? resetFieldsOf(update.schema, subresource);
  const comparison = compareObjects(
    withoutServerFields(update.old ?? {}),
    withoutServerFields(update.new),
    update.schema,
  );
  if (isSame(comparison)) return [...managers];
  const writer: Writer = {
    manager: update.manager,
    operation: "Update",
    apiVersion: update.apiVersion,
    subresource,
  };
  const own = managers.find((one) => isSameManager(one, writer));
  const others = withoutChanged(
    managers.filter((one) => one !== own),
    comparison,
    reset,
  );
  const removed = withoutSubtrees(comparison.removed, reset);
  const kept = own && withFields(own, differenceOf(own.fields, removed));
  const taken = withoutSubtrees(changedBy(comparison), reset);
  if (isEmptySet(taken)) {
    return kept === undefined || isEmptySet(kept.fields) ? others : [...others, kept];
  }
  const fields = unionOf(kept?.fields ?? emptySet, taken);
  return [...others, { ...writer, time: rfc3339(update.nowMs), fields }];
}

/** What is changed or gone is no longer anybody's. */
export function withoutChanged(
  managers: readonly Manager[],
  comparison: Comparison,
  reset: FieldSet,
): Manager[] {
  const changed = withoutSubtrees(changedBy(comparison), reset);
  const removed = withoutSubtrees(comparison.removed, reset);
  return managers
    .map((one) => withFields(one, differenceOf(differenceOf(one.fields, changed), removed)))
    .filter(({ fields }) => !isEmptySet(fields));
}

/** The managers that the client sent, where it may and they can be read; else those of the stored object. */
function startingManagers(update: ManagedUpdate): Manager[] {
  const stored = managedFieldsOf(update.old);
  const sent = managedFieldsOf(update.new);
  const throughSubresource = (update.subresource ?? "") !== "";
  if (throughSubresource || !Array.isArray(sent) || sent === stored) return readManagers(stored);
  if (isReset(sent)) return [];
  if (jsonEqual(sent, stored)) return readManagers(stored);
  return readSentManagers(sent) ?? readManagers(stored);
}

function isReset(sent: Json[]): boolean {
  if (sent.length > 1) return false;
  const [only] = sent;
  return only === undefined || (isObject(only) && Object.keys(only).length === 0);
}

function managedFieldsOf(object: JsonObject | undefined): Json | undefined {
  const metadata = object?.["metadata"];
  return isObject(metadata) ? metadata["managedFields"] : undefined;
}
