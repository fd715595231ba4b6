import type {
  FlowcontrolV1Subject,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from "#api/generated/types.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

/** Checks whom a rule of a flow schema is about, and which requests. */
export function checkFlowRule(field: Field, rule: Given<PolicyRulesWithSubjects>): void {
  const subjects = itemsOf(rule.subjects);
  if (subjects.length === 0) {
    field.child("subjects").required("subjects must contain at least one value");
  }
  for (const [index, subject] of subjects.entries()) {
    checkSubject(field.child("subjects").index(index), subject);
  }
  const resources = itemsOf(rule.resourceRules);
  const urls = itemsOf(rule.nonResourceRules);
  if (resources.length === 0 && urls.length === 0) {
    field.required("at least one of resourceRules and nonResourceRules has to be non-empty");
  }
  for (const [index, resource] of resources.entries()) {
    checkResources(field.child("resourceRules").index(index), resource);
  }
  for (const [index, url] of urls.entries()) {
    checkUrls(field.child("nonResourceRules").index(index), url);
  }
}

const subjectFields = { ServiceAccount: "serviceAccount", User: "user", Group: "group" } as const;

function checkSubject(field: Field, subject: Given<FlowcontrolV1Subject>): void {
  const kinds = Object.keys(subjectFields).toSorted();
  const kind = subject.kind ?? "";
  if (!kinds.includes(kind)) return field.child("kind").notSupported(kind, kinds);
  for (const [other, name] of Object.entries(subjectFields)) {
    if (other === kind) {
      const at = field.child(name);
      if (!subject[name]) at.required(`${name} is required when subject kind is '${kind}'`);
      else if (!subject[name].name) at.child("name").required();
    } else if (subject[name]) {
      field.child(name).forbidden(`${name} is forbidden when subject kind is not '${other}'`);
    }
  }
  if (kind === "ServiceAccount" && subject.serviceAccount) {
    checkAccount(field.child("serviceAccount"), subject.serviceAccount);
  }
}

function checkAccount(
  field: Field,
  { name, namespace }: Given<NonNullable<FlowcontrolV1Subject["serviceAccount"]>>,
): void {
  if (name && name !== "*") field.child("name").invalidAll(name, dns1123SubdomainProblems(name));
  if (!namespace) field.child("namespace").required("must specify namespace for service account");
  else field.child("namespace").invalidAll(namespace, dns1123LabelProblems(namespace));
}

const verbs = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "proxy",
  "update",
  "watch",
];

function checkVerbs(field: Field, named: readonly string[]): void {
  if (named.length === 0) field.required("verbs must contain at least one value");
  else if (named.includes("*")) checkAlone(field, named, "verbs");
  else if (!named.every((verb) => verbs.includes(verb))) field.notSupported(named, verbs);
}

function checkAlone(field: Field, values: readonly string[], what: string): void {
  if (values.length > 1 && values.includes("*")) {
    field.invalid(values, `if '*' is present, must not specify other ${what}`);
  }
}

function checkResources(field: Field, rule: Given<ResourcePolicyRule>): void {
  checkVerbs(field.child("verbs"), itemsOf(rule.verbs));
  const [groups, resources] = [itemsOf(rule.apiGroups), itemsOf(rule.resources)];
  if (groups.length === 0) {
    field.child("apiGroups").required("resource rules must supply at least one api group");
  }
  checkAlone(field.child("apiGroups"), groups, "api groups");
  if (resources.length === 0) {
    field.child("resources").required("resource rules must supply at least one resource");
  }
  checkAlone(field.child("resources"), resources, "resources");
  const namespaces = itemsOf(rule.namespaces);
  const at = field.child("namespaces");
  if (namespaces.length === 0 && !rule.clusterScope) {
    at.required("resource rules that are not cluster scoped must supply at least one namespace");
  } else if (namespaces.includes("*")) checkAlone(at, namespaces, "namespaces");
  else for (const [index, name] of namespaces.entries()) checkNamespace(at.index(index), name);
}

function checkNamespace(field: Field, name: string): void {
  const intro = "each member of this list must be '*' or a DNS-1123 label; ";
  field.invalidAll(
    name,
    dns1123LabelProblems(name).map((problem) => intro + problem),
  );
}

function checkUrls(field: Field, rule: Given<NonResourcePolicyRule>): void {
  checkVerbs(field.child("verbs"), itemsOf(rule.verbs));
  const urls = itemsOf(rule.nonResourceURLs);
  const at = field.child("nonResourceURLs");
  if (urls.length === 0) at.required("nonResourceURLs must contain at least one value");
  else if (urls.includes("*")) checkAlone(at, urls, "non-resource URLs");
  else for (const [index, url] of urls.entries()) checkUrl(at.index(index), url);
}

function checkUrl(field: Field, path: string): void {
  const problem = urlProblem(path);
  if (problem !== undefined) field.invalid(path, problem);
}

function urlProblem(path: string): string | undefined {
  if (path === "") return "must not be empty";
  if (path === "/") return undefined;
  if (!path.startsWith("/")) return "must start with slash";
  if (path.includes(" ")) return "must not contain white-space";
  if (path.includes("//")) return "must not contain double slash";
  const stars = path.split("*").length - 1;
  if (stars > 1 || (stars === 1 && !path.endsWith("*"))) {
    return "wildcard can only do suffix matching";
  }
  return undefined;
}
