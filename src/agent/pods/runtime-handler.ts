import type { Pod } from "#api/generated/types.ts";
import { runtimeClasses } from "#api/resources.ts";
import { isNotFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";

/** The runtime's handler that a pod's RuntimeClass names; "" is the usual one. Throws upstream's text. */
export async function runtimeHandlerOf(client: Client, { spec }: Pod): Promise<string> {
  const name = spec?.runtimeClassName;
  if (!name) return "";
  try {
    return (await client.get(runtimeClasses, { name })).handler;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new Error(`failed to get runtime class "${name}": not found`, { cause: error });
  }
}

/** Users of their own need a runtime that maps ids of files too; that is not supported, and never passed over. */
export function checkUserNamespace({ spec }: Pod): void {
  if (spec?.hostUsers === false) {
    throw new Error("user namespaces (hostUsers: false) are not supported by this node");
  }
}
