import { StatusError } from "#api/status.ts";
import { domainPathProblems } from "#api/validation/formats.ts";
import { authorize, refusalOf } from "#apiserver/authorize.ts";
import type { Attributes, Authorizer } from "#apiserver/authorizer.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** Whom a request is to be carried out as. */
export interface WantedUser {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * The wanted user, when the requester may be them: in one of the constrained ways (KEP-5284), which take a right to
 * be this user and another one to do what is asked as somebody else, or in the old way, which takes the right to
 * `impersonate` each part of the user and then allows all that the user may.
 * @throws the first way's refusal
 */
export async function impersonated(
  authorizer: Authorizer,
  wanted: WantedUser,
  request: Attributes,
): Promise<UserInfo> {
  let first: StatusError | undefined;
  for (const mode of modes) {
    if (!mode.isFor(wanted, request.user)) continue;
    try {
      return await mode.check(authorizer, wanted, request);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      first ??= error;
    }
  }
  throw first ?? refusalOf(request, "");
}

interface Mode {
  isFor(wanted: WantedUser, requester: UserInfo): boolean;
  check(authorizer: Authorizer, wanted: WantedUser, request: Attributes): Promise<UserInfo>;
}

const constrained = (name: string, isFor: Mode["isFor"]): Mode => ({
  isFor,
  async check(authorizer, wanted, request) {
    const own = name === "associated-node" ? withNodeKeysOnly(request) : request;
    await authorize(authorizer, { ...own, verb: `impersonate-on:${name}:${request.verb}` });
    return checkParts(authorizer, wanted, {
      requester: own.user,
      verb: `impersonate:${name}`,
      constrained: true,
    });
  },
});

/** In the order in which they are tried. */
const modes: readonly Mode[] = [
  constrained("associated-node", (wanted, requester) => {
    const node = nodeOf(wanted.name);
    const own = requester.extra?.["authentication.kubernetes.io/node-name"] ?? [];
    const isAccount = serviceAccountOf(requester.name) !== undefined;
    return isBare(wanted) && isAccount && node !== undefined && own.length === 1 && own[0] === node;
  }),
  constrained("arbitrary-node", (wanted) => isBare(wanted) && nodeOf(wanted.name) !== undefined),
  constrained(
    "serviceaccount",
    (wanted) => isBare(wanted) && serviceAccountOf(wanted.name) !== undefined,
  ),
  constrained(
    "user-info",
    ({ name }) => nodeOf(name) === undefined && serviceAccountOf(name) === undefined,
  ),
  {
    isFor: () => true,
    check: (authorizer, wanted, { user }) =>
      checkParts(authorizer, wanted, { requester: user, verb: "impersonate", constrained: false }),
  },
];

interface Asking {
  readonly requester: UserInfo;
  readonly verb: string;
  readonly constrained: boolean;
}

async function checkParts(
  authorizer: Authorizer,
  wanted: WantedUser,
  asking: Asking,
): Promise<UserInfo> {
  const { name, uid, groups, extra } = wanted;
  await authorize(authorizer, nameAttributes(wanted, asking));
  const own = "authentication.k8s.io";
  if (uid !== "")
    await authorize(authorizer, attributes(asking, { group: own, resource: "uids", name: uid }));
  await checkGroups(authorizer, groups, asking);
  if (asking.constrained) assertExtra(extra, asking);
  for (const [subresource, values] of Object.entries(extra)) {
    for (const value of values) {
      const target = { group: own, resource: "userextras", subresource, name: value };
      await authorize(authorizer, attributes(asking, target));
    }
  }
  return {
    name,
    ...(uid !== "" && { uid }),
    groups: withImpliedGroups(wanted, asking),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

function nameAttributes({ name }: WantedUser, asking: Asking): Attributes {
  const group = asking.constrained ? "authentication.k8s.io" : "";
  const account = serviceAccountOf(name);
  if (account) return attributes(asking, { group, resource: "serviceaccounts", ...account });
  const node = asking.constrained ? nodeOf(name) : undefined;
  if (node === undefined) return attributes(asking, { group, resource: "users", name });
  const any = asking.verb === "impersonate:associated-node";
  return attributes(asking, { group, resource: "nodes", name: any ? "*" : node });
}

async function checkGroups(
  authorizer: Authorizer,
  groups: readonly string[],
  asking: Asking,
): Promise<void> {
  const group = asking.constrained ? "authentication.k8s.io" : "";
  for (const name of groups) {
    const target = attributes(asking, { group, resource: "groups", name });
    if (asking.constrained && name === "system:masters")
      throw refusalOf(target, "impersonating the system:masters group is not allowed");
    await authorize(authorizer, target);
  }
}

function assertExtra(extra: WantedUser["extra"], asking: Asking): void {
  for (const [key, values] of Object.entries(extra)) {
    const why = extraProblem(key, values);
    if (why === undefined) continue;
    const target = { group: "authentication.k8s.io", resource: "userextras", name: "" };
    throw refusalOf(attributes(asking, target), why);
  }
}

function extraProblem(key: string, values: readonly string[]): string | undefined {
  if (key === "") return "impersonating the empty string key in extra is not allowed";
  const [problem] = domainPathProblems(key);
  if (problem !== undefined)
    return `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: ${problem}`;
  if (values.length === 0) return "impersonating empty values in extra is not allowed";
  return undefined;
}

function withImpliedGroups({ name, groups }: WantedUser, asking: Asking): readonly string[] {
  const own = groups.length > 0 ? groups : groupsByName(name, asking);
  if (name === "system:anonymous") return withGroup(own, "system:unauthenticated");
  const isKnown = !own.includes("system:unauthenticated");
  return isKnown ? withGroup(own, "system:authenticated") : own;
}

function groupsByName(name: string, asking: Asking): readonly string[] {
  const account = serviceAccountOf(name);
  if (account) return ["system:serviceaccounts", `system:serviceaccounts:${account.namespace}`];
  return asking.constrained && nodeOf(name) !== undefined ? ["system:nodes"] : [];
}

function withGroup(groups: readonly string[], group: string): readonly string[] {
  return groups.includes(group) ? groups : [...groups, group];
}

interface Target {
  readonly group: string;
  readonly resource: string;
  readonly name: string;
  readonly namespace?: string;
  readonly subresource?: string;
}

function attributes({ requester, verb }: Asking, target: Target): Attributes {
  return {
    user: requester,
    verb,
    isResource: true,
    version: "v1",
    subresource: "",
    namespace: "",
    path: "",
    ...target,
  };
}

/** Which node it is does not count where every account may be only its own. */
function withNodeKeysOnly(request: Attributes): Attributes {
  const { name, uid, groups, extra = {} } = request.user;
  const keys = {
    "authentication.kubernetes.io/associated-node-keys": Object.keys(extra).toSorted(),
  };
  return { ...request, user: { name, ...(uid !== undefined && { uid }), groups, extra: keys } };
}

function isBare({ uid, groups, extra }: WantedUser): boolean {
  return uid === "" && groups.length === 0 && Object.keys(extra).length === 0;
}

function nodeOf(userName: string): string | undefined {
  return /^system:node:([a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/.exec(userName)?.[1];
}

function serviceAccountOf(userName: string): { namespace: string; name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(userName);
  return match?.[1] && match[2] ? { namespace: match[1], name: match[2] } : undefined;
}
