import type { Json } from "#api/meta.ts";
import { StatusError, badRequest } from "#api/status.ts";
import { fieldOf, isObject, jsonEqual, setField, type JsonObject } from "#api/patch/json-object.ts";

/**
 * Applies a JSON patch (RFC 6902), given as the decoded request body. The input is not changed; the result shares
 * with it what no operation touched. A body that is no patch is a 400, more than 10,000 operations a 413, an
 * operation that does not apply a 422 which says which and why.
 */
export function applyJsonPatch(document: Json, operations: Json): Json {
  const patch = checkOperations(operations);
  const state: PatchState = { root: document, owned: new Set(), copiedBytes: 0 };
  for (const operation of patch) applyOperation(state, operation);
  return state.root;
}

const operationsMax = 10_000;
const copiedBytesMax = 3 * 1024 * 1024;

interface PatchState {
  root: Json;
  /** The containers made during this patch: only they are changed in place. */
  readonly owned: Set<Json>;
  copiedBytes: number;
}

type Operation =
  | { op: "add" | "replace" | "test"; path: string; value: Json }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; path: string; from: string };

type Kind = Operation["op"];

function checkOperations(operations: Json): Operation[] {
  if (!Array.isArray(operations)) {
    throw badRequest(
      `json: cannot unmarshal ${goKind(operations)} into Go value of type jsonpatch.Patch`,
    );
  }
  if (operations.length > operationsMax) {
    throw new StatusError({
      code: 413,
      reason: "RequestEntityTooLarge",
      message: `Request entity too large: The allowed maximum operations in a JSON patch is ${operationsMax}, got ${operations.length}`,
    });
  }
  return operations.map(checkOperation);
}

function checkOperation(operation: Json): Operation {
  if (!isObject(operation)) {
    throw badRequest(
      `json: cannot unmarshal ${goKind(operation)} into Go value of type jsonpatch.Operation`,
    );
  }
  const op = fieldOf(operation, "op");
  const path = fieldOf(operation, "path");
  const from = fieldOf(operation, "from");
  const value = fieldOf(operation, "value");
  switch (op) {
    case "add":
    case "replace":
    case "test":
      if (typeof path !== "string") throw missingPart(op, "path");
      if (value === undefined && op !== "test") throw missingPart(op, "value");
      return { op, path, value: value ?? null };
    case "remove":
      if (typeof path !== "string") throw missingPart(op, "path");
      return { op, path };
    case "move":
    case "copy":
      if (typeof from !== "string") throw missingPart(op, "from");
      if (typeof path !== "string") throw missingPart(op, "path");
      return { op, path, from };
    default:
      throw notApplicable(`Unexpected kind: ${typeof op === "string" ? op : "unknown"}`);
  }
}

function applyOperation(state: PatchState, operation: Operation): void {
  switch (operation.op) {
    case "add":
      return add(state, "add", operation.path, operation.value);
    case "remove":
      remove(state, "remove", operation.path);
      return;
    case "replace":
      return replace(state, operation.path, operation.value);
    case "test":
      return testValue(state, operation.path, operation.value);
    case "move":
      return move(state, operation.from, operation.path);
    case "copy":
      return copy(state, operation.from, operation.path);
  }
}

function add(state: PatchState, kind: Kind, path: string, value: Json): void {
  const at = openParent(state, kind, path);
  if (at === undefined) {
    state.root = value;
    return;
  }
  const { parent, key } = at;
  if (!Array.isArray(parent)) return setField(parent, key, value);
  parent.splice(key === "-" ? parent.length : indexOf(key, parent.length, kind, path), 0, value);
}

function remove(state: PatchState, kind: Kind, path: string): Json {
  const at = openParent(state, kind, path);
  if (at === undefined) throw failed(kind, path, "cannot remove the whole document");
  const { parent, key } = at;
  if (Array.isArray(parent)) {
    const [removed] = parent.splice(indexOf(key, parent.length - 1, kind, path), 1);
    return removed ?? null;
  }
  const removed = fieldOf(parent, key);
  if (removed === undefined) {
    throw failed(kind, path, `Unable to remove nonexistent key: ${key}: missing value`);
  }
  delete parent[key];
  return removed;
}

function replace(state: PatchState, path: string, value: Json): void {
  const at = openParent(state, "replace", path);
  if (at === undefined) {
    state.root = value;
    return;
  }
  const { parent, key } = at;
  if (Array.isArray(parent)) {
    parent[indexOf(key, parent.length - 1, "replace", path)] = value;
    return;
  }
  if (!Object.hasOwn(parent, key)) {
    throw notApplicable(
      `replace operation does not apply: doc is missing key: ${path}: missing value`,
    );
  }
  setField(parent, key, value);
}

function testValue(state: PatchState, path: string, value: Json): void {
  const found = find(state, "test", path);
  if (!jsonEqual(found ?? null, value)) {
    throw notApplicable(`testing value ${path} failed: test failed`);
  }
}

function move(state: PatchState, from: string, path: string): void {
  if (path === from) {
    readExisting(state, "move", from);
    return;
  }
  if (path.startsWith(`${from}/`)) {
    throw failed("move", path, "a value cannot be moved into itself");
  }
  if (from === "") throw failed("move", from, "cannot remove the whole document");
  add(state, "move", path, remove(state, "move", from));
}

/** The copy is deep, so that a later operation changes only one of the two. */
function copy(state: PatchState, from: string, path: string): void {
  const text = JSON.stringify(readExisting(state, "copy", from));
  state.copiedBytes += text.length;
  if (state.copiedBytes > copiedBytesMax) {
    throw notApplicable(
      `Unable to complete the copy, the accumulated size increase of copy is ${state.copiedBytes}, exceeding the limit ${copiedBytesMax}`,
    );
  }
  add(state, "copy", path, JSON.parse(text) as Json);
}

function readExisting(state: PatchState, kind: Kind, path: string): Json {
  const found = find(state, kind, path);
  if (found !== undefined) return found;
  const key = keysOf(kind, path).at(-1) ?? "";
  throw failed(kind, path, `unable to get nonexistent key: ${key}: missing value`);
}

/** The value at a path; undefined when only its last field is missing. */
function find(state: PatchState, kind: Kind, path: string): Json | undefined {
  const keys = keysOf(kind, path);
  let value: Json | undefined = state.root;
  for (const [depth, key] of keys.entries()) {
    if (Array.isArray(value)) value = value[indexOf(key, value.length - 1, kind, path)];
    else if (isObject(value)) value = fieldOf(value, key);
    else value = undefined;
    if (value === undefined && depth < keys.length - 1) throw missingPath(kind, path);
  }
  return value;
}

/** The container that holds the last key of a path, made writable along the way. Undefined for the root. */
function openParent(
  state: PatchState,
  kind: Kind,
  path: string,
): { parent: JsonObject | Json[]; key: string } | undefined {
  const keys = keysOf(kind, path);
  const last = keys.pop();
  if (last === undefined) return undefined;
  let parent = own(state, state.root);
  if (parent === undefined) throw missingPath(kind, path);
  state.root = parent;
  for (const key of keys) {
    const holder: JsonObject | Json[] = parent;
    const place: string | number = Array.isArray(holder)
      ? indexOf(key, holder.length - 1, kind, path)
      : key;
    const child: Json | undefined = Array.isArray(holder)
      ? holder[Number(place)]
      : fieldOf(holder, key);
    const opened = own(state, child);
    if (opened === undefined) throw missingPath(kind, path);
    if (opened !== child) {
      if (Array.isArray(holder)) holder[Number(place)] = opened;
      else setField(holder, key, opened);
    }
    parent = opened;
  }
  return { parent, key: last };
}

function own(state: PatchState, value: Json | undefined): JsonObject | Json[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (state.owned.has(value)) return value;
  const copied = Array.isArray(value) ? [...value] : { ...value };
  state.owned.add(copied);
  return copied;
}

/** The reference tokens of a JSON pointer (RFC 6901). */
function keysOf(kind: Kind, path: string): string[] {
  if (path === "") return [];
  if (!path.startsWith("/")) throw missingPath(kind, path);
  return path
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Negative indexes count from the end, as upstream's library has it. */
function indexOf(key: string, last: number, kind: Kind, path: string): number {
  if (!/^(0|-?[1-9]\d{0,9})$/.test(key)) {
    throw failed(kind, path, `value was not a proper array index: '${key}'`);
  }
  const number = Number(key);
  const index = number < 0 ? number + last + 1 : number;
  if (index < 0 || index > last) {
    throw failed(kind, path, `Unable to access invalid index: ${number}: invalid index referenced`);
  }
  return index;
}

function missingPart(op: Kind, part: string): StatusError {
  return notApplicable(`${op} operation failed to decode ${part}: missing value`);
}

function missingPath(kind: Kind, path: string): StatusError {
  return notApplicable(
    `${kind} operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`,
  );
}

function failed(kind: Kind, path: string, why: string): StatusError {
  return notApplicable(`error in ${kind} for path: '${path}': ${why}`);
}

function notApplicable(message: string): StatusError {
  return new StatusError({ code: 422, reason: "Invalid", message });
}

function goKind(value: Json): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return value === null ? "null" : typeof value;
}
