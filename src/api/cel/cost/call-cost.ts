import {
  add,
  exactly,
  letterCost,
  listCost,
  multiply,
  patternLetterCost,
  type Range,
  scale,
  union,
} from "#api/cel/cost/range.ts";
import { costSizeOf } from "#api/cel/equality.ts";
import { isFields, isList, MapValue, type Value } from "#api/cel/value.ts";
import type { Type } from "#api/cel/type.ts";

/** What a call costs: before anything is known but its types, and once it is done. Without that of its arguments. */
export interface CallCost {
  estimate(call: EstimatedCall): CallEstimate;
  actual(args: readonly Value[], result: Value): number;
}

export interface CallEstimate {
  readonly cost: Range;
  /** How large the result can be, where the function knows. */
  readonly size?: Range;
}

/** A call's arguments, the target first where there is one, as an estimate sees them. */
export interface EstimatedCall {
  readonly count: number;
  size(index: number): Range;
  type(index: number): Type;
  /** Of what is in a list; undefined for what is no list. */
  itemSize(index: number): Range | undefined;
  /** Undefined where the argument is no literal. */
  literal(index: number): Value | undefined;
}

const one = exactly(1);

export function fixedCost(cost: number): CallCost {
  return { estimate: () => ({ cost: exactly(cost) }), actual: () => cost };
}

/** The first argument is walked through; the result is no longer than it. */
export function traversal(factor = letterCost, keepsSize = false): CallCost {
  return {
    estimate: (call) => {
      const size = call.size(0);
      return { cost: scale(size, factor), ...(keepsSize && { size }) };
    },
    actual: ([text = null]) => Math.ceil(costSizeOf(text) * factor),
  };
}

/** Estimated by the argument's size, counted by the target's, as upstream does for `startsWith`. */
export const affixCost: CallCost = {
  estimate: (call) => ({ cost: scale(call.size(1), letterCost) }),
  actual: ([text = null]) => Math.ceil(costSizeOf(text) * letterCost),
};

export const stringToBytesCost: CallCost = {
  estimate: (call) => {
    const { min, max } = call.size(0);
    return { cost: scale({ min, max }, letterCost), size: { min, max: max * 4 } };
  },
  actual: ([text = null]) => Math.ceil(costSizeOf(text) * letterCost),
};

export const bytesToStringCost: CallCost = {
  estimate: (call) => {
    const { min, max } = call.size(0);
    return { cost: scale({ min, max }, letterCost), size: { min: Math.floor(min / 4), max } };
  },
  actual: ([text = null]) => Math.ceil(costSizeOf(text) * letterCost),
};

/** Every item may have to be looked at. */
export const membershipCost: CallCost = {
  estimate: (call) => ({ cost: call.size(1) }),
  actual: ([, list = null]) => costSizeOf(list),
};

/** Two values are compared until the shorter ends. */
export const comparisonCost: CallCost = {
  estimate: (call) => {
    const [left, right] = [call.type(0), call.type(1)];
    if (left.kind === "opaque" && left.name === right.name && left.name.includes("."))
      return { cost: one };
    const max = Math.min(call.size(0).max, call.size(1).max);
    return { cost: scale({ min: max > 0 ? 1 : 0, max }, letterCost) };
  },
  actual: ([a = null, b = null]) => Math.ceil(Math.min(costSizeOf(a), costSizeOf(b)) * letterCost),
};

export const concatenationCost: CallCost = {
  estimate: (call) => {
    const size = add(call.size(0), call.size(1));
    return { cost: scale(size, letterCost), size };
  },
  actual: ([a = null, b = null]) => Math.ceil((costSizeOf(a) + costSizeOf(b)) * letterCost),
};

export const listConcatenationCost: CallCost = {
  estimate: (call) => ({ cost: one, size: add(call.size(0), call.size(1)) }),
  actual: () => 1,
};

export const containsCost: CallCost = {
  estimate: (call) => ({
    cost: multiply(scale(call.size(0), letterCost), scale(call.size(1), letterCost)),
  }),
  actual: ([text = null, part = null]) =>
    Math.ceil(costSizeOf(text) * letterCost) * Math.ceil(costSizeOf(part) * letterCost),
};

/** A pattern is tried along a text; `finds` says that parts of it are the result. */
export function matchCost(finds: boolean): CallCost {
  return {
    estimate: (call) => {
      const text = call.size(0);
      const steps = scale(add(text, one), letterCost);
      const cost = multiply(steps, scale(call.size(1), patternLetterCost));
      return { cost, ...(finds && { size: { min: 0, max: text.max } }) };
    },
    actual: ([text = null, pattern = null]) => matchCostOf(costSizeOf(text), costSizeOf(pattern)),
  };
}

export function matchCostOf(textSize: number, patternSize: number): number {
  return Math.ceil((1 + textSize) * letterCost) * Math.ceil(patternSize * patternLetterCost);
}

/** Sums, minima, places in lists: one walk over all that is in a list, or over a text. */
export const listWalkCost: CallCost = {
  estimate: (call) => {
    const item = call.itemSize(0);
    if (item === undefined) return { cost: scale(call.size(0), letterCost) };
    const kind = call.type(0).parameters[0]?.kind;
    const each = kind === "string" || kind === "bytes" ? add(one, scale(item, letterCost)) : one;
    return { cost: multiply(call.size(0), each) };
  },
  actual: ([list = null]) => walkCost(list),
};

function walkCost(value: Value): number {
  if (typeof value === "string") return Math.trunc(byteLength(value) * letterCost);
  if (value instanceof Uint8Array) return Math.trunc(value.length * letterCost);
  if (isList(value)) return value.reduce<number>((sum, item) => sum + walkCost(item), 0);
  if (value instanceof MapValue) {
    return value
      .keys()
      .reduce<number>((sum, key) => sum + walkCost(key) + walkCost(value.get(key) ?? null), 0);
  }
  if (!isFields(value)) return 1;
  return Object.entries(value).reduce(
    (sum, [key, inner]) => sum + walkCost(key) + walkCost(inner),
    0,
  );
}

function byteLength(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** A new list is made, each of whose items costs `factor`. */
export function listBuildCost(size: (call: EstimatedCall) => Range, factor = 1): CallCost {
  return {
    estimate: (call) => {
      const items = size(call);
      return { cost: add(scale(items, factor), exactly(1 + listCost)), size: items };
    },
    actual: (_args, result) => costSizeOf(result) * factor + 1 + listCost,
  };
}

/** Every item is compared with every other. */
export function pairwiseCost(index: number): CallCost {
  const factorOf = (isText: boolean): number => (isText ? 2 + letterCost : 2);
  return {
    estimate: (call) => {
      const size = multiply(call.size(index), call.size(index));
      const kind = call.type(index).parameters[0]?.kind;
      const factor = factorOf(kind === "string" || kind === "bytes");
      return { cost: add(scale(size, factor), exactly(1 + listCost)), size };
    },
    actual: (args) => {
      const list = args[index] ?? null;
      const items = costSizeOf(list);
      const first = isList(list) ? (list[0] ?? null) : null;
      const factor = factorOf(typeof first === "string" || first instanceof Uint8Array);
      return Math.trunc(items * items * factor) + 1 + listCost;
    },
  };
}

/** Every item of one list is compared with those of the other. */
export function crossCost(factor: number): CallCost {
  return {
    estimate: (call) => ({
      cost: add(scale(multiply(call.size(0), call.size(1)), factor), one),
    }),
    actual: ([a = null, b = null]) => 1 + Math.trunc(costSizeOf(a) * costSizeOf(b) * factor),
  };
}

/** The result of any of several forms of a call. */
export function unionOfEstimates(a: CallEstimate, b: CallEstimate): CallEstimate {
  const cost = union(a.cost, b.cost);
  const size =
    a.size !== undefined && b.size !== undefined ? union(a.size, b.size) : (a.size ?? b.size);
  return { cost, ...(size !== undefined && { size }) };
}
