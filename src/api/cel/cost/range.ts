/** How much something can be at least and at most: a size or a cost. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Upstream counts in 64 bits and stays at the top; beyond 2^53 only the order of magnitude matters. */
const top = 2 ** 64;

export const unknownSize: Range = { min: 0, max: top };

export function exactly(amount: number): Range {
  return { min: amount, max: amount };
}

export function add(...ranges: readonly Range[]): Range {
  let min = 0;
  let max = 0;
  for (const range of ranges) {
    min += range.min;
    max += range.max;
  }
  return { min: Math.min(min, top), max: Math.min(max, top) };
}

export function multiply(a: Range, b: Range): Range {
  return { min: Math.min(a.min * b.min, top), max: Math.min(a.max * b.max, top) };
}

/** Rounded up, as upstream does after every factor. */
export function scale(range: Range, factor: number): Range {
  return {
    min: Math.min(Math.ceil(range.min * factor), top),
    max: Math.min(Math.ceil(range.max * factor), top),
  };
}

/** The range that holds both. */
export function union(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** What walking through a text costs for each letter. */
export const letterCost = 0.1;
/** What a pattern costs for each of its letters and each step through the text. */
export const patternLetterCost = 0.25;
export const listCost = 10;
export const mapCost = 30;
export const structCost = 40;
