import type { Column } from "#api/kind.ts";
import { age, name } from "#api/kinds/columns/cells.ts";

/** What `kubectl get` shows of a built-in kind; name and age for one that has no columns of its own. */
export function columnsOf(group: string, kind: string): readonly Column[] {
  return columns[`${group}/${kind}`] ?? [name, age];
}

const columns: Readonly<Record<string, readonly Column[]>> = {};
