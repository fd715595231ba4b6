import type { Strategy } from "#api/kind.ts";

/** What is particular to a built-in kind; nothing for a kind that is not listed, as for custom resources. */
export function strategyOf(group: string, kind: string): Strategy {
  return strategies[group]?.[kind] ?? {};
}

const strategies: Readonly<Record<string, Readonly<Record<string, Strategy>>>> = {};
