import type { CallCost } from "#api/cel/cost/call-cost.ts";
import { add, letterCost, multiply, type Range, scale, unknownSize } from "#api/cel/cost/range.ts";
import { costSizeOf } from "#api/cel/equality.ts";

/** A text is walked through and another made of it. */
const rewriteCost = 2 * letterCost;

export const replaceCost: CallCost = {
  estimate: (call) => {
    const size = call.size(0);
    const result = sizeOfReplaced(size, call.size(1), call.size(2));
    return { cost: scale(size, rewriteCost), size: result };
  },
  actual: ([text = null]) => Math.ceil(costSizeOf(text) * rewriteCost),
};

/** From the fewest and shortest replacements to the most and longest, as upstream reckons. */
function sizeOfReplaced(text: Range, part: Range, by: Range): Range {
  const most = mostReplaced(text.max, part.min, by.max);
  const least = leastReplaced(text.min, part.max, by.min);
  const count = { min: least.count, max: most.count };
  return add(multiply(count, by), { min: least.kept, max: most.kept });
}

interface Replaced {
  readonly count: number;
  readonly kept: number;
}

function mostReplaced(text: number, part: number, by: number): Replaced {
  if (part === 0) return { count: Math.min(text + 1, unknownSize.max), kept: text };
  return by <= part ? { count: 0, kept: text } : { count: Math.ceil(text / part), kept: 0 };
}

function leastReplaced(text: number, part: number, by: number): Replaced {
  if (part === 0) return { count: text + 1, kept: text };
  return part <= by ? { count: 0, kept: text } : { count: Math.ceil(text / part), kept: 0 };
}

export const splitCost: CallCost = {
  estimate: (call) => {
    const size = call.size(0);
    const limit = call.count > 2 ? call.literal(2) : undefined;
    const max = typeof limit === "number" ? (limit < 0 ? unknownSize.max : limit) : size.max;
    return { cost: scale(size, rewriteCost), size: { min: 0, max } };
  },
  actual: ([text = null]) => Math.ceil(costSizeOf(text) * rewriteCost),
};

export const joinCost: CallCost = {
  estimate: (call) => {
    const items = call.size(0);
    const texts = multiply(items, call.itemSize(0) ?? unknownSize);
    const between = { min: Math.max(items.min - 1, 0), max: Math.max(items.max - 1, 0) };
    const size = call.count > 1 ? add(texts, multiply(call.size(1), between)) : texts;
    return { cost: scale(size, letterCost), size };
  },
  actual: (_args, result) => Math.ceil(costSizeOf(result) * rewriteCost),
};
