import type { NameRule } from "#api/kind.ts";

// The rules for names, and what is said of a name that breaks one (upstream's sentences).

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const label1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const underscoreLabel = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const underscoreSubdomain = `${underscoreLabel}(\\.${underscoreLabel})*`;
const wildcardSubdomain = `\\*\\.${subdomain}`;

const labelMaxBytes = 63;
const subdomainMaxBytes = 253;

/** What is wrong with `name` under `rule`; empty when nothing is. */
export function nameProblems(rule: NameRule, name: string): readonly string[] {
  return problemsByRule[rule](name);
}

/** As `nameProblems`, for a `generateName`: what will follow it may make good a dash at its end. */
export function prefixProblems(rule: NameRule, prefix: string): readonly string[] {
  const named = rule !== "pathSegment" && prefix.length > 1 && prefix.endsWith("-");
  return nameProblems(rule, named ? `${prefix.slice(0, -2)}a` : prefix);
}

export function dns1123LabelProblems(value: string): readonly string[] {
  const problems = tooLongName(value, labelMaxBytes);
  if (whole(label).test(value)) return problems;
  if (whole(subdomain).test(value)) return [...problems, "must not contain dots"];
  return [
    ...problems,
    mustMatch(
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
      label,
      ["my-name", "123-abc"],
    ),
  ];
}

export function dns1123SubdomainProblems(value: string): readonly string[] {
  const problems = tooLongName(value, subdomainMaxBytes);
  if (whole(subdomain).test(value)) return problems;
  return [
    ...problems,
    mustMatch(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      subdomain,
      ["example.com"],
    ),
  ];
}

/** The names of search domains: a subdomain in which underscores may stand. */
export function underscoreSubdomainProblems(value: string): readonly string[] {
  const problems = tooLongName(value, subdomainMaxBytes);
  if (whole(underscoreSubdomain).test(value)) return problems;
  return [
    ...problems,
    mustMatch(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
      underscoreSubdomain,
      ["example.com"],
    ),
  ];
}

export function wildcardSubdomainProblems(value: string): readonly string[] {
  const problems = tooLongName(value, subdomainMaxBytes);
  if (whole(wildcardSubdomain).test(value)) return problems;
  return [
    ...problems,
    mustMatch(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
      wildcardSubdomain,
      ["*.example.com"],
    ),
  ];
}

export function dns1035LabelProblems(value: string): readonly string[] {
  const problems = tooLongName(value, labelMaxBytes);
  if (whole(label1035).test(value)) return problems;
  return [
    ...problems,
    mustMatch(
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
      label1035,
      ["my-name", "abc-123"],
    ),
  ];
}

/** A name that is one segment of a path: what RBAC names need, and what keeps any name from leaving its directory. */
export function pathSegmentProblems(value: string): readonly string[] {
  if (value === ".") return ["may not be '.'"];
  if (value === "..") return ["may not be '..'"];
  return ["/", "%"]
    .filter((part) => value.includes(part))
    .map((part) => `may not contain '${part}'`);
}

/** "… (e.g. 'a',  or 'b', regex used for validation is 'r')", as upstream words it. */
export function mustMatch(rule: string, regex: string, examples: readonly string[]): string {
  const named = examples.map((example) => `'${example}', `).join(" or ");
  return examples.length === 0
    ? `${rule} (regex used for validation is '${regex}')`
    : `${rule} (e.g. ${named}regex used for validation is '${regex}')`;
}

export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** As upstream words it for names, though it means bytes. */
export function tooLongName(value: string, limitBytes: number): string[] {
  return byteLength(value) > limitBytes ? [`must be no more than ${limitBytes} characters`] : [];
}

/** For labels and what else upstream's newer rules check. */
export function tooLong(value: string, limitBytes: number): string[] {
  return byteLength(value) > limitBytes ? [`must be no more than ${limitBytes} bytes`] : [];
}

/** The regular expression that matches the whole value, compiled once. */
export function whole(regex: string): RegExp {
  let compiled = compiledByText.get(regex);
  if (compiled === undefined) {
    compiled = new RegExp(`^(?:${regex})$`);
    compiledByText.set(regex, compiled);
  }
  return compiled;
}

const compiledByText = new Map<string, RegExp>();
const encoder = new TextEncoder();

const problemsByRule: Readonly<Record<NameRule, (name: string) => readonly string[]>> = {
  dns1123Subdomain: dns1123SubdomainProblems,
  dns1123Label: dns1123LabelProblems,
  dns1035Label: dns1035LabelProblems,
  pathSegment: pathSegmentProblems,
};
