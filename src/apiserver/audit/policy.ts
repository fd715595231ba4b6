import type { RequestInfo } from "#apiserver/request-info.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** How much of a request is recorded (`audit.k8s.io/v1`); each level holds what those before it hold. */
export type AuditLevel = "None" | "Metadata" | "Request" | "RequestResponse";

export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";

/** `Policy` of `audit.k8s.io/v1`. */
export interface AuditPolicy {
  /** The first that matches holds; a request that none matches is not recorded. */
  readonly rules: readonly AuditRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
  /** Whether what no rule records is recorded when it is refused; not a part of upstream's. Default false. */
  readonly recordsRefusals?: boolean;
}

export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly {
    readonly group?: string;
    /** `pods`, `pods/log`, `pods/*`, `*` with `/scale`, `*`. */
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  /** "" stands for what is in no namespace. */
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** What a policy says of one request. */
export interface AuditConfig {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

export type PolicyEvaluator = (user: UserInfo, info: RequestInfo) => AuditConfig;

export function createPolicyEvaluator(policy: AuditPolicy): PolicyEvaluator {
  const configOf = (rule: AuditRule): AuditConfig => ({
    level: rule.level,
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  });
  const rules = policy.rules.map((rule) => ({ matches: matcherOf(rule), config: configOf(rule) }));
  const otherwise = configOf({ level: "None" });
  return (user, info) => rules.find(({ matches }) => matches(user, info))?.config ?? otherwise;
}

export const auditLevels: readonly AuditLevel[] = [
  "None",
  "Metadata",
  "Request",
  "RequestResponse",
];

export const auditStages: readonly AuditStage[] = [
  "RequestReceived",
  "ResponseStarted",
  "ResponseComplete",
  "Panic",
];

type Matcher = (user: UserInfo, info: RequestInfo) => boolean;

function matcherOf(rule: AuditRule): Matcher {
  const matchers: Matcher[] = [];
  const { users = [], userGroups = [], verbs = [] } = rule;
  if (verbs.length > 0) matchers.push((_, { verb }) => verbs.includes(verb));
  if (users.length > 0) matchers.push(({ name }) => users.includes(name));
  if (userGroups.length > 0)
    matchers.push(({ groups }) => groups.some((group) => userGroups.includes(group)));
  const { resources = [], namespaces = [], nonResourceURLs = [] } = rule;
  if (namespaces.length > 0) matchers.push((_, info) => namespaces.includes(info.namespace));
  if (resources.length > 0) matchers.push((_, info) => resources.some((one) => names(one, info)));
  if (namespaces.length > 0 || resources.length > 0) matchers.push((_, info) => info.isResource);
  else if (nonResourceURLs.length > 0) {
    matchers.push(
      (_, info) => !info.isResource && nonResourceURLs.some((url) => coversPath(url, info.path)),
    );
  }
  return (user, info) => matchers.every((matches) => matches(user, info));
}

type GroupResources = NonNullable<AuditRule["resources"]>[number];

function names(
  { group = "", resources = [], resourceNames = [] }: GroupResources,
  info: RequestInfo,
): boolean {
  if (group !== "*" && group !== info.group) return false;
  if (resources.length === 0) return true;
  if (resourceNames.length > 0 && !resourceNames.includes(info.name)) return false;
  const { resource, subresource } = info;
  const whole = subresource === "" ? resource : `${resource}/${subresource}`;
  return resources.some(
    (one) =>
      one === whole ||
      one === "*" ||
      (subresource !== "" && one === `*/${subresource}`) ||
      one === `${resource}/*`,
  );
}

function coversPath(url: string, path: string): boolean {
  if (url === "*" || url === path) return true;
  return url.endsWith("*") && path.startsWith(url.slice(0, -1));
}
