import type { Json } from "#api/meta.ts";
import { badRequest, StatusError } from "#api/status.ts";
import { fieldOf, isObject } from "#api/patch/json-object.ts";
import { goFormat } from "#api/patch/go-format.ts";

/** The field that identifies an item of a list of objects; undefined for lists of scalars. */
export type ListKey = string | undefined;

/** What makes an item the same as another of the list. Throws upstream's text when the key is missing. */
export function keyOfItem(item: Json, key: ListKey): string {
  if (key === undefined) return identity(item);
  if (!isObject(item)) {
    throw badRequest(`expected a map[string]interface {}, but received a ${typeof item}`);
  }
  const value = fieldOf(item, key);
  if (value === undefined) {
    throw badRequest(`map: ${goFormat(item)} does not contain declared merge key: ${key}`);
  }
  return identity(value);
}

/** Upstream takes neither lists of lists nor lists that mix objects and scalars. */
export function assertSameKinds(items: readonly Json[]): void {
  if (items.some((item) => Array.isArray(item))) {
    const message = "lists of lists are not supported";
    throw new StatusError({ code: 422, reason: "Invalid", message });
  }
  const first = items[0];
  if (items.some((item) => typeof item !== typeof first)) {
    throw badRequest(`list element types are not identical: ${goFormat([...items])}`);
  }
}

/** The patched items must stand in the order that `$setElementOrder` gives, and be named there. */
export function assertOrderOf(patch: readonly Json[], order: readonly Json[], key: ListKey): void {
  if (patch.length === 0 || order.length === 0) return;
  let place = 0;
  for (const item of patch) {
    if (isObject(item) && fieldOf(item, "$patch") !== undefined) continue;
    const name = keyOfItem(item, key);
    while (place < order.length && keyOfItem(order[place] ?? null, key) !== name) place++;
    if (place === order.length) {
      throw badRequest(
        `The order in patch list:\n${goFormat([...patch])}\n doesn't match $setElementOrder list:\n${goFormat([...order])}\n`,
      );
    }
    place++;
  }
}

/**
 * Items named in `order` follow it; the others keep the server's order and stand before the first ordered item that
 * the server had behind them.
 */
export function orderItems(list: {
  readonly items: readonly Json[];
  readonly order: readonly Json[];
  readonly serverOrder: readonly Json[];
  readonly key: ListKey;
}): Json[] {
  const wanted = placesOf(list.order, list.key);
  const server = placesOf(list.serverOrder, list.key);
  const keyed = list.items.map((item) => ({ item, name: keyOfItem(item, list.key) }));
  const ordered = sortBy(
    keyed.filter(({ name }) => wanted.has(name)),
    wanted,
  );
  const others = sortBy(
    keyed.filter(({ name }) => !wanted.has(name)),
    server,
  );
  const result: Json[] = [];
  let next = 0;
  for (const { item, name } of ordered) {
    const place = server.get(name);
    while (place !== undefined && next < others.length) {
      const other = others[next];
      const otherPlace = other && server.get(other.name);
      if (other === undefined || otherPlace === undefined || otherPlace >= place) break;
      result.push(other.item);
      next++;
    }
    result.push(item);
  }
  return [...result, ...others.slice(next).map(({ item }) => item)];
}

interface Keyed {
  readonly item: Json;
  readonly name: string;
}

function sortBy(items: readonly Keyed[], places: ReadonlyMap<string, number>): Keyed[] {
  const last = Number.MAX_SAFE_INTEGER;
  return items.toSorted((a, b) => (places.get(a.name) ?? last) - (places.get(b.name) ?? last));
}

function placesOf(items: readonly Json[], key: ListKey): Map<string, number> {
  const places = new Map<string, number>();
  items.forEach((item, index) => {
    const name = keyOfItem(item, key);
    if (!places.has(name)) places.set(name, index);
  });
  return places;
}

function identity(value: Json): string {
  return typeof value === "string" ? `s${value}` : JSON.stringify(value);
}
