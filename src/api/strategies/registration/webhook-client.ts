import { dns1035LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import type { Field } from "#api/validation/field.ts";
import { rangeProblems } from "#api/validation/formats.ts";
import type { Given } from "#api/validation/given.ts";

/** What client configurations of admission and of conversion webhooks have in common. */
export interface WebhookClientConfig {
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly path?: string;
    readonly port?: number;
  };
}

/** Checks where a webhook is: at a URL or behind a service. */
export function checkWebhookClient(
  field: Field,
  client: Given<WebhookClientConfig> | null | undefined,
): void {
  const { url, service } = client ?? {};
  const hasUrl = url !== undefined && url !== null;
  if (hasUrl === Boolean(service)) {
    return field.required("exactly one of url or service is required");
  }
  if (hasUrl) checkUrl(field.child("url"), url);
  if (service) checkService(field.child("service"), service);
}

const form = "; desired format: https://host[/path]";

function checkUrl(field: Field, text: string): void {
  const [, scheme = "", , authority = "", path = "", , query = "", , fragment = ""] =
    /^(?:([^:/?#]+):)?(\/\/([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?$/.exec(text) ?? [];
  if (/[\s\p{Cc}]/u.test(text) || (path !== "" && !scheme && path.startsWith(":"))) {
    return field.required(`url must be a valid URL: parse ${JSON.stringify(text)}${form}`);
  }
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  if (scheme !== "https") field.invalid(scheme, `'https' is the only allowed URL scheme${form}`);
  if (host === "") field.invalid(host, `host must be specified${form}`);
  if (at >= 0) {
    field.invalid(authority.slice(0, at), "user information is not permitted in the URL");
  }
  if (fragment !== "") field.invalid(fragment, "fragments are not permitted in the URL");
  if (query !== "") field.invalid(query, "query parameters are not permitted in the URL");
}

function checkService(
  field: Field,
  { name, namespace, port, path }: Given<NonNullable<WebhookClientConfig["service"]>>,
): void {
  if (!name) field.child("name").required();
  if (!namespace) field.child("namespace").required();
  const problems = rangeProblems(port ?? 443, 1, 65_535);
  if (problems.length > 0) {
    field.child("port").invalid(port, `port is not valid: ${problems.join(", ")}`);
  }
  if (path) checkPath(field.child("path"), path);
}

function checkPath(field: Field, path: string): void {
  if (path === "/") return;
  if (path === "//") return field.invalid(path, "segment[0] may not be empty");
  if (!path.startsWith("/")) field.invalid(path, "must start with a '/'");
  for (const [index, step] of path.slice(1).replace(/\/$/, "").split("/").entries()) {
    if (step === "") field.invalid(path, `segment[${index}] may not be empty`);
    else {
      const problems = dns1123SubdomainProblems(step);
      field.invalidAll(
        path,
        problems.map((problem) => `segment[${index}]: ${problem}`),
      );
    }
  }
}

/** The versions of reviews that a webhook understands: one that there is must be among them. */
export function checkReviewVersions(
  field: Field,
  versions: readonly string[],
  known: readonly string[],
  anyWillDo = false,
): void {
  if (versions.length === 0) return field.required();
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    if (seen.has(version)) field.index(index).invalid(version, "duplicate version");
    else field.index(index).invalidAll(version, dns1035LabelProblems(version));
    seen.add(version);
  }
  if (anyWillDo || versions.some((version) => known.includes(version))) return;
  field.invalid(versions, `must include at least one of ${known.join(", ")}`);
}
