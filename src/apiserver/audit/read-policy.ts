import {
  auditLevels,
  auditStages,
  type AuditPolicy,
  type AuditRule,
} from "#apiserver/audit/policy.ts";

/** Takes a policy file's value apart. @throws with every problem and its field, in upstream's words */
export function readAuditPolicy(value: unknown): AuditPolicy {
  const problems: string[] = [];
  const report: Report = (field, problem) => void problems.push(`${field}: ${problem}`);
  const file = objectOf(value);
  if (file["kind"] !== "Policy") report("kind", 'must be "Policy"');
  if (file["apiVersion"] !== "audit.k8s.io/v1") report("apiVersion", 'must be "audit.k8s.io/v1"');
  reportUnknown(file, ["kind", "apiVersion", "metadata", ...policyFields], { at: "", report });
  if (file["rules"] === undefined || listOf(file["rules"]).length === 0)
    report("rules", "loaded illegal policy with 0 rules");
  checkStages(file["omitStages"], "omitStages", report);
  for (const [at, rule] of listOf(file["rules"]).entries())
    checkRule(objectOf(rule), `rules[${at}]`, report);
  if (problems.length > 0) throw new Error(`Cannot use the audit policy: ${problems.join("; ")}`);
  return file as unknown as AuditPolicy;
}

type Report = (field: string, problem: string) => void;

const policyFields = ["rules", "omitStages", "omitManagedFields"];
const ruleFields = [
  "level",
  "users",
  "userGroups",
  "verbs",
  "resources",
  "namespaces",
  "nonResourceURLs",
  "omitStages",
  "omitManagedFields",
];
const resourceFields = ["group", "resources", "resourceNames"];

function checkRule(rule: Record<string, unknown>, at: string, report: Report): void {
  reportUnknown(rule, ruleFields, { at, report });
  const level = rule["level"];
  if (level === undefined || level === "") report(`${at}.level`, "Required value");
  else if (!(auditLevels as readonly unknown[]).includes(level)) {
    const known = auditLevels.map((one) => `"${one}"`).join(", ");
    report(
      `${at}.level`,
      `Unsupported value: ${JSON.stringify(level)}: supported values: ${known}`,
    );
  }
  for (const name of ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs"])
    checkTexts(rule[name], `${at}.${name}`, report);
  checkStages(rule["omitStages"], `${at}.omitStages`, report);
  checkUrls(rule, at, report);
  for (const [index, one] of listOf(rule["resources"]).entries())
    checkResources(objectOf(one), `${at}.resources[${index}]`, report);
  const { omitManagedFields } = rule as Partial<AuditRule>;
  if (omitManagedFields !== undefined && typeof omitManagedFields !== "boolean")
    report(`${at}.omitManagedFields`, "must be true or false");
}

function checkUrls(rule: Record<string, unknown>, at: string, report: Report): void {
  const urls = listOf(rule["nonResourceURLs"]).map(String);
  for (const [index, url] of urls.entries()) {
    const field = `${at}.nonResourceURLs[${index}]`;
    const shown = JSON.stringify(url);
    if (url === "*") continue;
    if (!url.startsWith("/"))
      report(
        field,
        `Invalid value: ${shown}: non-resource URL rules must begin with a '/' character`,
      );
    if (url.slice(0, -1).includes("*"))
      report(
        field,
        `Invalid value: ${shown}: non-resource URL wildcards '*' must be the final character of the rule`,
      );
  }
  const isBoth =
    urls.length > 0 &&
    (listOf(rule["resources"]).length > 0 || listOf(rule["namespaces"]).length > 0);
  if (isBoth)
    report(
      `${at}.nonResourceURLs`,
      `Invalid value: ${JSON.stringify(urls)}: rules cannot apply to both regular resources and non-resource URLs`,
    );
}

function checkResources(value: Record<string, unknown>, at: string, report: Report): void {
  reportUnknown(value, resourceFields, { at, report });
  checkTexts(value["resources"], `${at}.resources`, report);
  checkTexts(value["resourceNames"], `${at}.resourceNames`, report);
  const group = value["group"] ?? "";
  const isGroup =
    typeof group === "string" &&
    (group === "" || group === "*" || /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(group));
  if (!isGroup) report(`${at}.group`, `Invalid value: ${JSON.stringify(group)}`);
  if (listOf(value["resourceNames"]).length > 0 && listOf(value["resources"]).length === 0)
    report(`${at}.resourceNames`, "using resourceNames requires at least one resource");
}

function checkStages(value: unknown, at: string, report: Report): void {
  for (const [index, stage] of listOf(value).entries()) {
    if ((auditStages as readonly unknown[]).includes(stage)) continue;
    const text = `Invalid value: ${JSON.stringify(stage)}: allowed stages are ${auditStages.join(",")}`;
    report(`${at}[${index}]`, text);
  }
}

function checkTexts(value: unknown, at: string, report: Report): void {
  if (value === undefined || value === null) return;
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string"))
    report(at, "must be a list of strings");
}

function reportUnknown(
  value: Record<string, unknown>,
  known: readonly string[],
  { at, report }: { readonly at: string; readonly report: Report },
): void {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) report(at === "" ? name : `${at}.${name}`, "unknown field");
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
