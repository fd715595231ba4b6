/** Quantities (`100m`, `1.5Gi`, `1e3`) for comparing: nanounits, which is as fine as the API goes. Undefined: no quantity. */
export function nanosOf(quantity: unknown): bigint | undefined {
  const text = typeof quantity === "number" ? String(quantity) : quantity;
  if (typeof text !== "string" || text.length > maxLength) return undefined;
  const [, sign, whole = "", fraction = "", suffix = ""] = form.exec(text) ?? [];
  if (whole === "" && fraction === "") return undefined;
  const scale = scaleOf(suffix);
  if (scale === undefined) return undefined;
  const denominator = 10n ** BigInt(fraction.length);
  const rounded = (BigInt(whole + fraction) * scale + denominator - 1n) / denominator;
  return sign === "-" ? -rounded : rounded;
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
export function roundedToMillis<T>(quantity: T): T | string {
  const nanos = nanosOf(quantity);
  if (nanos === undefined || nanos % nanosPerMilli === 0n) return quantity;
  const millis = nanos > 0n ? nanos / nanosPerMilli + 1n : nanos / nanosPerMilli;
  return `${millis}m`;
}

const nanosPerUnit = 1_000_000_000n;
const nanosPerMilli = 1_000_000n;

/** Longer texts are no quantities anyone means, and would make the numbers below large. */
const maxLength = 64;
const exponentMax = 18;

const form = /^([+-]?)(\d*)(?:\.(\d*))?([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;

/** Nanounits that one of the suffix stands for. */
function scaleOf(suffix: string): bigint | undefined {
  const exponent = /^[eE]([+-]?\d+)$/.exec(suffix)?.[1];
  if (exponent === undefined) return scales[suffix];
  const power = Number(exponent);
  if (Math.abs(power) > exponentMax) return undefined;
  return power >= -9 ? 10n ** BigInt(power + 9) : 1n;
}

const scales: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 1_000n,
  m: nanosPerMilli,
  "": nanosPerUnit,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: nanosPerUnit << 10n,
  Mi: nanosPerUnit << 20n,
  Gi: nanosPerUnit << 30n,
  Ti: nanosPerUnit << 40n,
  Pi: nanosPerUnit << 50n,
  Ei: nanosPerUnit << 60n,
};
