import type { UserInfo } from "#apiserver/request.ts";

const prefix = "system:node:";

/** The name of the node that a user is: undefined for everybody else. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(prefix) || !user.groups.includes("system:nodes")) return undefined;
  return user.name.slice(prefix.length) || undefined;
}
