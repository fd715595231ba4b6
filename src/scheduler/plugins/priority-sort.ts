import type { Plugin } from "#scheduler/framework.ts";

/** The higher priority first; of equals, the one that waits longer. */
export const prioritySort: Plugin = {
  name: "PrioritySort",
  queueSort: (one, other) => {
    const [a, b] = [one.pending.placed.priority, other.pending.placed.priority];
    return a === b ? one.sinceMs < other.sinceMs : a > b;
  },
};
