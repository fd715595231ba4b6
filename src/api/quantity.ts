import { badRequest } from "#api/status.ts";

/** How a quantity is written: `1500m`, `1.5e3`, `2Gi`. */
type QuantityFormat = "decimal" | "exponent" | "binary";

/**
 * An exact amount of a resource, as apimachinery's `resource.Quantity`: counted in billionths (`nano`), the finest
 * step that upstream keeps. Smaller amounts are rounded away from zero when they are parsed.
 */
export interface Quantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

/** Throws a 400 with upstream's text. */
export function parseQuantity(text: string): Quantity {
  const quantity = readQuantity(text);
  if (typeof quantity === "string") throw badRequest(quantity);
  return quantity;
}

/** The quantity, or upstream's text for why there is none. */
export function readQuantity(text: string): Quantity | string {
  if (text.length > textLettersMax) return numberWrong;
  const match = shape.exec(text);
  if (match === null) return formatWrong;
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match;
  if (whole === "" && fraction === "") return formatWrong;
  if (whole.length + fraction.length > digitsMax) return numberWrong;
  const unit = unitOf(suffix);
  if (unit === undefined) return suffixWrong;
  const digits = BigInt(whole + fraction);
  const amount = scaled(digits, unit, fraction.length);
  const format = unit.format === "binary" && amount < nanoPerOne ? "decimal" : unit.format;
  const capped = format === "binary" && amount > binaryMaxNano ? binaryMaxNano : amount;
  return { nano: sign === "-" ? -capped : capped, format };
}

/** The canonical text: the largest suffix without a fraction, in the quantity's own family. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return "0";
  if (format === "binary" && nano % nanoPerOne === 0n && absolute(nano) >= 1024n * nanoPerOne) {
    return formatBinary(nano / nanoPerOne);
  }
  return formatDecimal(nano, format);
}

/** Negative, zero or positive, as `left` is less than, equal to or more than `right`. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  return left.nano < right.nano ? -1 : left.nano > right.nano ? 1 : 0;
}

/** The sum, in the format of `left`, or of `right` where `left` is zero. */
export function addQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };
}

export function subtractQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano - right.nano, format: left.nano === 0n ? right.format : left.format };
}

/** Whole units, rounded away from zero as upstream's `Value()`. */
export function quantityValue({ nano }: Quantity): bigint {
  return roundedAway(nano, nanoPerOne);
}

/** Thousandths, rounded away from zero as upstream's `MilliValue()`. */
export function quantityMilliValue({ nano }: Quantity): bigint {
  return roundedAway(nano, 1_000_000n);
}

const shape = /^([+-]?)(\d*)\.?(\d*)([eEinumkKMGTP]*(?:(?<=[eE])[-+]?\d+)?)$/;
const formatWrong =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const numberWrong = "unable to parse numeric part of quantity";
const suffixWrong = "unable to parse quantity's suffix";

const nanoPerOne = 1_000_000_000n;
const binaryMaxNano = (2n ** 63n - 1n) * nanoPerOne;
/** Bounds the work that one text can cause. */
const digitsMax = 500;
const textLettersMax = 600;
const exponentMax = 500;

const decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

interface Unit {
  readonly format: QuantityFormat;
  /** Of ten, or of two where the format is binary. */
  readonly exponent: number;
}

function unitOf(suffix: string): Unit | undefined {
  const decimal = decimalSuffixes.indexOf(suffix);
  if (decimal >= 0) return { format: "decimal", exponent: decimal * 3 - 9 };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary >= 0) return { format: "binary", exponent: binary * 10 };
  const exponent = /^[eE]([-+]?\d+)$/.exec(suffix)?.[1];
  if (exponent === undefined || Math.abs(Number(exponent)) > exponentMax) return undefined;
  return { format: "exponent", exponent: Number(exponent) };
}

/** `digits` × the unit, with `places` digits after the point, in billionths and rounded up. */
function scaled(digits: bigint, unit: Unit, places: number): bigint {
  const factor = unit.format === "binary" ? 2n ** BigInt(unit.exponent) : 1n;
  const power = 9 - places + (unit.format === "binary" ? 0 : unit.exponent);
  const amount = digits * factor;
  return power >= 0 ? amount * 10n ** BigInt(power) : roundedAway(amount, 10n ** BigInt(-power));
}

function roundedAway(amount: bigint, step: bigint): bigint {
  const quotient = amount / step;
  if (amount % step === 0n) return quotient;
  return amount < 0n ? quotient - 1n : quotient + 1n;
}

function absolute(amount: bigint): bigint {
  return amount < 0n ? -amount : amount;
}

function formatDecimal(nano: bigint, format: QuantityFormat): string {
  let step = 0;
  let amount = nano;
  const stepMax = format === "exponent" ? Number.POSITIVE_INFINITY : decimalSuffixes.length - 1;
  while (amount % 1000n === 0n && step < stepMax) {
    amount /= 1000n;
    step++;
  }
  const exponent = step * 3 - 9;
  if (format !== "exponent") return `${amount}${decimalSuffixes[step]}`;
  return exponent === 0 ? String(amount) : `${amount}e${exponent}`;
}

function formatBinary(units: bigint): string {
  let step = 0;
  let amount = units;
  while (amount % 1024n === 0n && step < binarySuffixes.length - 1) {
    amount /= 1024n;
    step++;
  }
  return `${amount}${binarySuffixes[step]}`;
}
