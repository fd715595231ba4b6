import { formatQuantity, type Quantity, readQuantity } from "#api/quantity.ts";

/** The billionths of an amount, for comparing; undefined for what is no quantity. */
export function nanosOf(quantity: unknown): bigint | undefined {
  return read(quantity)?.nano;
}

/** Whether two quantities are the same amount; equal texts always are. */
export function sameQuantity(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const amount = nanosOf(a);
  return amount !== undefined && amount === nanosOf(b);
}

export function isWholeQuantity(quantity: unknown): boolean {
  const nanos = nanosOf(quantity);
  return nanos !== undefined && nanos % nanosPerUnit === 0n;
}

/** Rounds up to thousandths, as the API does with every entry of a resource list; others are left alone. */
export function roundedToMillis<T>(value: T): T | string {
  const quantity = read(value);
  if (quantity === undefined || quantity.nano % nanosPerMilli === 0n) return value;
  const millis = quantity.nano / nanosPerMilli + (quantity.nano > 0n ? 1n : 0n);
  return formatQuantity({ ...quantity, nano: millis * nanosPerMilli });
}

const nanosPerUnit = 1_000_000_000n;
const nanosPerMilli = 1_000_000n;

function read(value: unknown): Quantity | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const quantity = readQuantity(String(value).trim());
  return typeof quantity === "string" ? undefined : quantity;
}
