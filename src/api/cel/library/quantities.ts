import { fixedCost, traversal } from "#api/cel/cost/call-cost.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { int } from "#api/cel/numbers.ts";
import { quantityType } from "#api/cel/library/opaque.ts";
import { CelObject, double, EvaluationError } from "#api/cel/value.ts";
import {
  addQuantities,
  compareQuantities,
  parseQuantity,
  quantityValue,
  readQuantity,
  type Quantity,
  subtractQuantities,
} from "#api/quantity.ts";

class QuantityValue extends CelObject {
  readonly type = quantityType;
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    super();
    this.quantity = quantity;
  }

  equals(other: CelObject): boolean {
    return other instanceof QuantityValue && compareQuantities(this.quantity, other.quantity) === 0;
  }
}

const nominal = { cost: fixedCost(1) };
const parsing = { cost: traversal() };
const nanoPerOne = 1_000_000_000n;

/** Amounts of resources: `quantity("1.5Gi")`. */
export const quantities: readonly FunctionRow[] = [
  row("quantity", "(string) kubernetes.Quantity", quantityValueOf, parsing),
  row(
    "isQuantity",
    "(string) bool",
    (text: string) => typeof readQuantity(text) !== "string",
    parsing,
  ),
  row(
    "sign",
    "kubernetes.Quantity.() int",
    ({ quantity }: QuantityValue) => signOf(quantity.nano),
    nominal,
  ),
  row(
    "isGreaterThan",
    "kubernetes.Quantity.(kubernetes.Quantity) bool",
    (a: QuantityValue, b: QuantityValue) => order(a, b) > 0,
    nominal,
  ),
  row(
    "isLessThan",
    "kubernetes.Quantity.(kubernetes.Quantity) bool",
    (a: QuantityValue, b: QuantityValue) => order(a, b) < 0,
    nominal,
  ),
  row("compareTo", "kubernetes.Quantity.(kubernetes.Quantity) int", order, nominal),
  row(
    "asApproximateFloat",
    "kubernetes.Quantity.() double",
    ({ quantity }: QuantityValue) => double(Number(quantity.nano) / 1e9),
    nominal,
  ),
  row("asInteger", "kubernetes.Quantity.() int", asInteger, nominal),
  row(
    "isInteger",
    "kubernetes.Quantity.() bool",
    ({ quantity }: QuantityValue) => isWhole(quantity),
    nominal,
  ),
  row(
    "add",
    "kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity",
    (a: QuantityValue, b: QuantityValue) =>
      new QuantityValue(addQuantities(a.quantity, b.quantity)),
    nominal,
  ),
  row(
    "add",
    "kubernetes.Quantity.(int) kubernetes.Quantity",
    (a: QuantityValue, b: number | bigint) =>
      new QuantityValue(addQuantities(a.quantity, whole(b))),
    nominal,
  ),
  row(
    "sub",
    "kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity",
    (a: QuantityValue, b: QuantityValue) =>
      new QuantityValue(subtractQuantities(a.quantity, b.quantity)),
    nominal,
  ),
  row(
    "sub",
    "kubernetes.Quantity.(int) kubernetes.Quantity",
    (a: QuantityValue, b: number | bigint) =>
      new QuantityValue(subtractQuantities(a.quantity, whole(b))),
    nominal,
  ),
];

/** The value of an amount as text. Throws `EvaluationError`. */
export function quantityValueOf(text: string): QuantityValue {
  const found = readQuantity(text);
  if (typeof found === "string") throw new EvaluationError(found);
  return new QuantityValue(found);
}

function order(a: QuantityValue, b: QuantityValue): number {
  return compareQuantities(a.quantity, b.quantity);
}

function signOf(nano: bigint): number {
  if (nano === 0n) return 0;
  return nano < 0n ? -1 : 1;
}

function isWhole({ nano }: Quantity): boolean {
  const value = nano / nanoPerOne;
  return nano % nanoPerOne === 0n && value < 2n ** 63n && value >= -(2n ** 63n);
}

function asInteger({ quantity }: QuantityValue): number | bigint {
  if (!isWhole(quantity)) throw new EvaluationError("cannot convert value to integer");
  return int(quantityValue(quantity));
}

function whole(value: number | bigint): Quantity {
  return parseQuantity(String(value));
}
