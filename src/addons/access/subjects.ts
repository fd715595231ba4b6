import type { Grant, Subject } from "#addons/access/grants.ts";

/** Somebody who asks: as the server sees them after they logged in. */
export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
}

const accountPrefix = "system:serviceaccount:";

/** The groups that the server adds to a name are added here too: nobody gives them by hand. */
export function identityOf(user: string, groups: readonly string[] = []): Identity {
  return { user, groups: [...new Set([...groups, ...groupsByName(user)])] };
}

function groupsByName(user: string): readonly string[] {
  if (user === "system:anonymous") return ["system:unauthenticated"];
  if (!user.startsWith(accountPrefix)) return ["system:authenticated"];
  const [namespace = ""] = user.slice(accountPrefix.length).split(":");
  return ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
}

/** Whether a grant is for somebody, by name or by one of the groups. */
export function reaches({ subject }: Grant, { user, groups }: Identity): boolean {
  if (subject.kind === "Group") return groups.includes(subject.name);
  return userNameOf(subject) === user;
}

/** The user that a subject is; undefined for a group. */
function userNameOf({ kind, name, namespace }: Subject): string | undefined {
  if (kind === "User") return name;
  return kind === "ServiceAccount" ? `${accountPrefix}${namespace}:${name}` : undefined;
}

/** `User jane`, `Group infra`, `ServiceAccount dev/prometheus`. */
export function subjectText({ kind, name, namespace }: Subject): string {
  return `${kind} ${namespace === "" ? name : `${namespace}/${name}`}`;
}
