import type { ManagedFieldsEntry } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";
import { isObject, type JsonObject } from "#api/patch/json-object.ts";
import {
  emptySet,
  isEmptySet,
  sortedSet,
  type FieldSet,
  type MutableFieldSet,
} from "#api/apply/field-set.ts";

/** One manager of an object: an entry of `metadata.managedFields` whose set can be calculated with. */
export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
  /** The entry as it was read, while nothing about it has changed. */
  readonly entry?: ManagedFieldsEntry;
}

/** Who writes, and through which door. */
export type Writer = Pick<Manager, "manager" | "operation" | "apiVersion" | "subresource">;

/** The managers of a stored object. Entries that this server did not write are dropped. */
export function readManagers(entries: Json | undefined): Manager[] {
  return Array.isArray(entries) ? entries.flatMap((entry) => readEntry(entry) ?? []) : [];
}

/** The managers that a client sent; undefined when one of them cannot be read. */
export function readSentManagers(entries: readonly Json[]): Manager[] | undefined {
  const managers: Manager[] = [];
  for (const entry of entries) {
    const manager = readEntry(entry);
    const fields = manager && canonicalFields(manager.fields, 0);
    if (manager === undefined || fields === undefined) return undefined;
    const { entry: _, ...rest } = manager;
    managers.push({ ...rest, fields: fields as FieldSet });
  }
  return managers;
}

/** The entries as they are stored: without empty sets, appliers first, then by time. */
export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return managers
    .filter(({ fields }) => !isEmptySet(fields))
    .toSorted(compareManagers)
    .map((manager) => manager.entry ?? writeEntry(manager));
}

/** Whether both are the same manager: an applier stays the same with another version of the API. */
export function isSameManager(left: Writer, right: Writer): boolean {
  return (
    left.manager === right.manager &&
    left.operation === right.operation &&
    left.subresource === right.subresource &&
    (left.operation === "Apply" || left.apiVersion === right.apiVersion)
  );
}

export function withFields(manager: Manager, fields: FieldSet): Manager {
  if (fields === manager.fields) return manager;
  const { entry: _, ...rest } = manager;
  return { ...rest, fields };
}

/** More managers that update (not apply) are folded into one, oldest first. */
const updatersMax = 10;
const foldedManager = "ancient-changes";

/** Folds the oldest updaters together while there are too many, one bucket for each version of the API. */
export function capManagers(managers: readonly Manager[], unite: Unite): readonly Manager[] {
  const updaters = managers.filter(({ operation }) => operation === "Update");
  let surplus = updaters.length - updatersMax;
  if (surplus <= 0) return managers;
  const kept = new Set(managers);
  const buckets = new Map<string, { first: Manager; bucket: Manager | undefined }>();
  for (const updater of updaters.toSorted(compareAge)) {
    if (surplus <= 0) break;
    const known = buckets.get(updater.apiVersion);
    if (known === undefined) {
      buckets.set(updater.apiVersion, { first: updater, bucket: undefined });
      continue;
    }
    const folded = known.bucket ?? findBucket(kept, updater.apiVersion) ?? known.first;
    if (folded === updater) continue;
    for (const gone of [folded, known.first, updater]) kept.delete(gone);
    known.bucket = fold([folded, known.first, updater], unite);
    kept.add(known.bucket);
    surplus = [...kept].filter(({ operation }) => operation === "Update").length - updatersMax;
  }
  return [...kept];
}

type Unite = (left: FieldSet, right: FieldSet) => FieldSet;

function findBucket(managers: ReadonlySet<Manager>, apiVersion: string): Manager | undefined {
  for (const one of managers) {
    const isBucket = one.manager === foldedManager && one.operation === "Update";
    if (isBucket && one.apiVersion === apiVersion && one.subresource === "") return one;
  }
  return undefined;
}

function fold(managers: readonly Manager[], unite: Unite): Manager {
  const last = managers.at(-1);
  return {
    manager: foldedManager,
    operation: "Update",
    apiVersion: last?.apiVersion ?? "",
    subresource: "",
    time: last?.time,
    fields: managers.map(({ fields }) => fields).reduce(unite, emptySet),
  };
}

function readEntry(entry: Json): Manager | undefined {
  if (!isObject(entry) || !isObject(entry["fieldsV1"])) return undefined;
  const operation = entry["operation"];
  if (operation !== "Apply" && operation !== "Update") return undefined;
  if (entry["fieldsType"] !== "FieldsV1") return undefined;
  return {
    manager: textOf(entry["manager"]),
    operation,
    apiVersion: textOf(entry["apiVersion"]),
    subresource: textOf(entry["subresource"]),
    time: typeof entry["time"] === "string" ? entry["time"] : undefined,
    fields: entry["fieldsV1"] as unknown as FieldSet,
    entry: entry as ManagedFieldsEntry,
  };
}

function writeEntry(manager: Manager): ManagedFieldsEntry {
  return {
    manager: manager.manager,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time !== undefined && { time: manager.time }),
    fieldsType: "FieldsV1",
    fieldsV1: sortedSet(manager.fields),
    ...(manager.subresource !== "" && { subresource: manager.subresource }),
  };
}

function compareManagers(left: Manager, right: Manager): number {
  return (
    compareText(left.operation, right.operation) ||
    compareText(left.time ?? "", right.time ?? "") ||
    compareText(left.manager, right.manager) ||
    compareText(left.apiVersion, right.apiVersion) ||
    compareText(left.subresource, right.subresource)
  );
}

function compareAge(left: Manager, right: Manager): number {
  return compareText(left.time ?? "", right.time ?? "") || compareText(left.manager, right.manager);
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

const depthMax = 200;

/** A set that a client sent, with the keys of items written as this server writes them. */
function canonicalFields(node: unknown, depth: number): MutableFieldSet | undefined {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return undefined;
  if (depth > depthMax) return undefined;
  const result: MutableFieldSet = {};
  for (const [element, child] of Object.entries(node)) {
    const canonical = canonicalElement(element);
    const below = canonicalFields(child, depth + 1);
    if (canonical === undefined || below === undefined) return undefined;
    result[canonical] = below;
  }
  return result;
}

function canonicalElement(element: string): string | undefined {
  const content = element.slice(2);
  if (element === "." || element.startsWith("f:")) return element;
  if (element.startsWith("i:")) return /^\d+$/.test(content) ? element : undefined;
  if (!element.startsWith("k:") && !element.startsWith("v:")) return undefined;
  try {
    const value = JSON.parse(content) as Json;
    if (element.startsWith("v:")) return `v:${JSON.stringify(value)}`;
    if (!isObject(value)) return undefined;
    return `k:${JSON.stringify(sortedFields(value))}`;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function sortedFields(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object).toSorted(([left], [right]) => compareText(left, right)),
  );
}
