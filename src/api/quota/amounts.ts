import type { JsonObject } from "#api/kind.ts";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  readQuantity,
  subtractQuantities,
  type Quantity,
} from "#api/quantity.ts";

/** Amounts of resources by name: what a `ResourceList` holds. */
export type Amounts = ReadonlyMap<string, Quantity>;

/** What cannot be read is left out: validation has its own word on it. */
export function readAmounts(list: unknown): Map<string, Quantity> {
  const amounts = new Map<string, Quantity>();
  if (typeof list !== "object" || list === null) return amounts;
  for (const [name, value] of Object.entries(list)) {
    const quantity = readQuantity(String(value));
    if (typeof quantity !== "string") amounts.set(name, quantity);
  }
  return amounts;
}

export function writeAmounts(amounts: Amounts): JsonObject {
  const names = [...amounts.keys()].toSorted();
  return Object.fromEntries(names.map((name) => [name, formatQuantity(amounts.get(name) ?? zero)]));
}

export function addAmounts(left: Amounts, right: Amounts): Map<string, Quantity> {
  const sum = new Map(left);
  for (const [name, quantity] of right) {
    const before = sum.get(name);
    sum.set(name, before === undefined ? quantity : addQuantities(before, quantity));
  }
  return sum;
}

/** What is more on the left: nothing below zero. */
export function moreThan(left: Amounts, right: Amounts): Map<string, Quantity> {
  const difference = new Map<string, Quantity>();
  for (const [name, quantity] of left) {
    const rest = subtractQuantities(quantity, right.get(name) ?? zero);
    difference.set(name, rest.nano < 0n ? zero : rest);
  }
  return difference;
}

export function largerOf(left: Amounts, right: Amounts): Map<string, Quantity> {
  const larger = new Map(left);
  for (const [name, quantity] of right) {
    const before = larger.get(name);
    if (before === undefined || compareQuantities(quantity, before) > 0) larger.set(name, quantity);
  }
  return larger;
}

export function onlyNamed(amounts: Amounts, has: (name: string) => boolean): Map<string, Quantity> {
  return new Map([...amounts].filter(([name]) => has(name)));
}

export function withoutZeros(amounts: Amounts): Map<string, Quantity> {
  return new Map([...amounts].filter(([, { nano }]) => nano !== 0n));
}

export function sameAmounts(left: Amounts, right: Amounts): boolean {
  if (left.size !== right.size) return false;
  return [...left].every(([name, { nano }]) => right.get(name)?.nano === nano);
}

export function whole(count: number): Quantity {
  return { nano: BigInt(count) * 1_000_000_000n, format: "decimal" };
}

export const zero: Quantity = { nano: 0n, format: "decimal" };
