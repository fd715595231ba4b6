import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  FlowcontrolV1Subject,
} from "#api/generated/types.ts";
import type { UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/** Whether a flow schema is about a request. */
export function matchesFlow({ spec }: FlowSchema, user: UserInfo, info: RequestInfo): boolean {
  return (spec?.rules ?? []).some((rule) => matchesPolicy(rule, user, info));
}

function matchesPolicy(rule: PolicyRulesWithSubjects, user: UserInfo, info: RequestInfo): boolean {
  if (!rule.subjects.some((subject) => matchesSubject(subject, user))) return false;
  return info.isResource
    ? (rule.resourceRules ?? []).some((one) => matchesResource(one, info))
    : (rule.nonResourceRules ?? []).some((one) => matchesPath(one, info));
}

function matchesSubject(subject: FlowcontrolV1Subject, { name, groups }: UserInfo): boolean {
  switch (subject.kind) {
    case "User":
      return subject.user?.name === "*" || subject.user?.name === name;
    case "Group":
      return subject.group?.name === "*" || groups.includes(subject.group?.name ?? "");
    case "ServiceAccount": {
      const { namespace = "", name: account = "" } = subject.serviceAccount ?? {};
      const prefix = `system:serviceaccount:${namespace}:`;
      return account === "*" ? name.startsWith(prefix) : name === prefix + account;
    }
    default:
      return false;
  }
}

function matchesResource(rule: ResourcePolicyRule, info: RequestInfo): boolean {
  const { resource, subresource } = info;
  const whole = subresource === "" ? resource : `${resource}/${subresource}`;
  if (!includes(rule.verbs, info.verb) || !includes(rule.resources, whole)) return false;
  if (!includes(rule.apiGroups, info.group)) return false;
  if (info.namespace === "") return rule.clusterScope === true;
  return includes(rule.namespaces ?? [], info.namespace);
}

function matchesPath(rule: NonResourcePolicyRule, { verb, path }: RequestInfo): boolean {
  if (!includes(rule.verbs, verb)) return false;
  return rule.nonResourceURLs.some((pattern) => {
    if (pattern === "*" || pattern === path) return true;
    const prefix = pattern.endsWith("*") ? pattern.slice(0, -1) : pattern;
    return path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
  });
}

function includes(values: readonly string[], value: string): boolean {
  return values[0] === "*" || values.includes(value);
}
