import { fixedCost, traversal } from "#api/cel/cost/call-cost.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { semverType } from "#api/cel/library/opaque.ts";
import { int } from "#api/cel/numbers.ts";
import { CelObject, EvaluationError } from "#api/cel/value.ts";

class SemverValue extends CelObject {
  readonly type = semverType;
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];

  constructor(numbers: readonly [bigint, bigint, bigint], prerelease: readonly string[]) {
    super();
    this.numbers = numbers;
    this.prerelease = prerelease;
  }

  equals(other: CelObject): boolean {
    return other instanceof SemverValue && order(this, other) === 0;
  }
}

const nominal = { cost: fixedCost(1) };
const parsing = { cost: traversal() };

/** Semantic versions: `semver("1.2.3-rc.1")`; with `true` also `v1.2`. */
export const versions: readonly FunctionRow[] = [
  row("semver", "(string) kubernetes.Semver", (text: string) => semverOf(text, false), parsing),
  row("semver", "(string, bool) kubernetes.Semver", semverOf, parsing),
  row("isSemver", "(string) bool", (text: string) => parse(text, false) !== undefined, parsing),
  row(
    "isSemver",
    "(string, bool) bool",
    (text: string, lenient: boolean) => parse(text, lenient) !== undefined,
    parsing,
  ),
  row(
    "isGreaterThan",
    "kubernetes.Semver.(kubernetes.Semver) bool",
    (a: SemverValue, b: SemverValue) => order(a, b) > 0,
    nominal,
  ),
  row(
    "isLessThan",
    "kubernetes.Semver.(kubernetes.Semver) bool",
    (a: SemverValue, b: SemverValue) => order(a, b) < 0,
    nominal,
  ),
  row(
    "compareTo",
    "kubernetes.Semver.(kubernetes.Semver) int",
    (a: SemverValue, b: SemverValue) => Math.sign(order(a, b)),
    nominal,
  ),
  row("major", "kubernetes.Semver.() int", ({ numbers }: SemverValue) => int(numbers[0]), nominal),
  row("minor", "kubernetes.Semver.() int", ({ numbers }: SemverValue) => int(numbers[1]), nominal),
  row("patch", "kubernetes.Semver.() int", ({ numbers }: SemverValue) => int(numbers[2]), nominal),
];

/** The value of a version as text. Throws `EvaluationError`. */
export function semverOf(text: string, lenient: boolean): SemverValue {
  const found = parse(text, lenient);
  if (found === undefined)
    throw new EvaluationError(`Invalid semantic version ${JSON.stringify(text)}`);
  return found;
}

const strict =
  /^(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,19})(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][\dA-Za-z-]*))*))?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/;

function parse(text: string, lenient: boolean): SemverValue | undefined {
  const whole = lenient ? completed(text) : text;
  const match = whole === undefined ? null : strict.exec(whole);
  if (match === null) return undefined;
  const [, major = "0", minor = "0", patch = "0", prerelease = ""] = match;
  const numbers = [BigInt(major), BigInt(minor), BigInt(patch)] as const;
  return new SemverValue(numbers, prerelease === "" ? [] : prerelease.split("."));
}

/** `v1.02` becomes `1.2.0`; a short version can have nothing behind it. */
function completed(text: string): string | undefined {
  const [first = "", second, ...rest] = text.replace(/^v/, "").split(".");
  const third = rest.length === 0 ? undefined : rest.join(".");
  const parts = [first, second, third].filter((part) => part !== undefined);
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? "")) return undefined;
  const plain = parts.map((part) => part.replace(/^0+(?=\d)/, ""));
  while (plain.length < 3) plain.push("0");
  return plain.join(".");
}

function order(a: SemverValue, b: SemverValue): number {
  for (const [index, number] of a.numbers.entries()) {
    const other = b.numbers[index] ?? 0n;
    if (number !== other) return number < other ? -1 : 1;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return Math.sign(b.prerelease.length - a.prerelease.length);
  }
  return orderOfPrereleases(a.prerelease, b.prerelease);
}

function orderOfPrereleases(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const difference = orderOfParts(part, other);
    if (difference !== 0) return difference;
  }
  return a.length === b.length ? 0 : -1;
}

function orderOfParts(a: string, b: string): number {
  const [first, second] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (first !== second) return first ? -1 : 1;
  if (a === b) return 0;
  return (first ? BigInt(a) < BigInt(b) : a < b) ? -1 : 1;
}
