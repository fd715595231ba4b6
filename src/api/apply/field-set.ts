/**
 * A set of field paths in the very form in which `managedFields[].fieldsV1` has it, so that nothing is converted
 * when objects are read and written. Each key is one step of a path: `f:NAME` a field, `k:{…}` the keys of a list
 * item, `v:…` the value of a set item, `i:N` an index. A node below the root is itself in the set when it is empty
 * or has the key `.`. A set is not changed once it is made; operations share what they can.
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

export interface MutableFieldSet {
  [element: string]: MutableFieldSet;
}

export const emptySet: FieldSet = Object.freeze({});

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** All paths of either; `left` itself when it has them all. */
export function unionOf(left: FieldSet, right: FieldSet): FieldSet {
  if (isEmptySet(left)) return right;
  return isEmptySet(right) ? left : uniteChildren(left, right);
}

/** The paths of `left` that are not in `right`; `left` itself when nothing is taken away. */
export function differenceOf(left: FieldSet, right: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element in right) {
    const child = left[element];
    const cut = right[element];
    if (element === "." || child === undefined || cut === undefined) continue;
    const rest = differenceOfNode(child, cut);
    if (rest === child) continue;
    result ??= { ...left } as MutableFieldSet;
    if (rest === undefined) delete result[element];
    else result[element] = rest as MutableFieldSet;
  }
  return result ?? left;
}

/** The paths that are in both. */
export function intersectionOf(left: FieldSet, right: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const element in right) {
    const child = left[element];
    const other = right[element];
    if (element === "." || child === undefined || other === undefined) continue;
    const common = intersectionOf(child, other);
    const member = isMember(child) && isMember(other);
    if (!member && isEmptySet(common)) continue;
    result[element] = nodeOf(member, common);
  }
  return result;
}

/** The paths of `set` that are neither in `excluded` nor below a path of it. */
export function withoutSubtrees(set: FieldSet, excluded: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element in excluded) {
    const child = set[element];
    const cut = excluded[element];
    if (element === "." || child === undefined || cut === undefined) continue;
    const rest = isMember(cut) ? undefined : keptNode(child, withoutSubtrees(child, cut));
    if (rest === child) continue;
    result ??= { ...set } as MutableFieldSet;
    if (rest === undefined) delete result[element];
    else result[element] = rest as MutableFieldSet;
  }
  return result ?? set;
}

/** Inserts one path in place; for the code that builds a set. */
export function insertPath(set: MutableFieldSet, path: readonly string[]): void {
  const { parent, last } = parentOf(set, path);
  const known = parent[last];
  if (known === undefined) parent[last] = {};
  else if (!isMember(known)) known["."] = {};
}

/** Inserts a whole node in place, at a path of which nothing is in the set yet. */
export function insertNode(set: MutableFieldSet, path: readonly string[], node: FieldSet): void {
  const { parent, last } = parentOf(set, path);
  parent[last] = node as MutableFieldSet;
}

function parentOf(
  set: MutableFieldSet,
  path: readonly string[],
): { parent: MutableFieldSet; last: string } {
  let parent = set;
  for (let index = 0; index < path.length - 1; index++) {
    const element = path[index] ?? "";
    const known = parent[element];
    const child = known ?? {};
    parent[element] = child;
    // A known empty node is a member, which it must stay when it gets children.
    if (known !== undefined && isEmptySet(known)) known["."] = {};
    parent = child;
  }
  return { parent, last: path.at(-1) ?? "" };
}

/** The set with its keys in the order in which they are written; the same one where they already are. */
export function sortedSet(set: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  let last = "";
  for (const element in set) {
    if (element < last) return sortedSet(sortedKeys(set));
    last = element;
    const child = set[element] ?? emptySet;
    const sorted = sortedSet(child);
    if (sorted === child) continue;
    result ??= { ...set } as MutableFieldSet;
    result[element] = sorted as MutableFieldSet;
  }
  return result ?? set;
}

/** Calls `visit` for every path of the set. */
export function forEachPath(
  set: FieldSet,
  visit: (path: readonly string[]) => void,
  path: readonly string[] = [],
): void {
  for (const element in set) {
    if (element === ".") continue;
    const child = set[element] ?? emptySet;
    const below = [...path, element];
    if (isMember(child)) visit(below);
    forEachPath(child, visit, below);
  }
}

/** Whether a node below the root is itself in the set. */
export function isMember(node: FieldSet): boolean {
  return "." in node || isEmptySet(node);
}

function uniteChildren(left: FieldSet, right: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element in right) {
    const child = left[element];
    const other = right[element] ?? emptySet;
    const united = child === undefined ? other : uniteNodes(child, other);
    if (united === child) continue;
    result ??= { ...left } as MutableFieldSet;
    result[element] = united as MutableFieldSet;
  }
  return result ?? left;
}

function uniteNodes(left: FieldSet, right: FieldSet): FieldSet {
  return left === right
    ? left
    : nodeOf(isMember(left) || isMember(right), uniteChildren(left, right));
}

/** The rest of a node below the root; undefined when nothing is left. */
function differenceOfNode(node: FieldSet, cut: FieldSet): FieldSet | undefined {
  const rest = differenceOf(node, cut);
  if (!isMember(node) || !isMember(cut)) return keptNode(node, rest);
  if (!("." in rest)) return isEmptySet(rest) ? undefined : rest;
  const { ".": _, ...children } = rest;
  return isEmptySet(children) ? undefined : children;
}

/** What remains of a node when `rest` remains of its content; undefined when that is nothing. */
function keptNode(node: FieldSet, rest: FieldSet): FieldSet | undefined {
  if (isEmptySet(rest)) return isMember(node) ? rest : undefined;
  return onlySelf(rest) ? emptySet : rest;
}

function onlySelf(node: FieldSet): boolean {
  for (const element in node) if (element !== ".") return false;
  return "." in node;
}

export function nodeOf(member: boolean, children: FieldSet): MutableFieldSet {
  if (isEmptySet(children) || "." in children === member) return children as MutableFieldSet;
  if (member) return { ".": {}, ...children } as MutableFieldSet;
  const { ".": _, ...rest } = children as MutableFieldSet;
  return rest;
}

function sortedKeys(set: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const element of Object.keys(set).sort()) result[element] = set[element] as MutableFieldSet;
  return result;
}
