import type { Kind } from "#api/kind.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { invariant } from "#base/invariant.ts";

export function podKind(): Kind {
  const found = builtinKinds().find(({ group, kind }) => group === "" && kind === "Pod");
  invariant(found !== undefined, "pods are a kind of the API");
  return found;
}
