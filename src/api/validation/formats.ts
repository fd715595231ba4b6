import { dns1123SubdomainProblems, mustMatch, tooLong, tooLongName, whole } from "#api/names.ts";

// The forms of strings that are not names of objects. Each function answers what is wrong, in upstream's words.

const qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const qualifiedRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const qualifiedExamples = ["MyName", "my.name", "123-abc"];

/** Label keys, annotation keys, finalizers, resource names: `[dns.subdomain/]name`. */
export function qualifiedNameProblems(value: string): readonly string[] {
  const parts = value.split("/");
  if (parts.length > 2) {
    const rule = mustMatch(qualifiedRule, qualified, qualifiedExamples);
    return [
      `a valid label key ${rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  return [...(parts.length === 2 ? prefixProblems(parts[0] ?? "") : []), ...namePartProblems(name)];
}

function prefixProblems(prefix: string): readonly string[] {
  if (prefix === "") return ["prefix part must be non-empty"];
  const form = dns1123SubdomainProblems(prefix).filter(
    (problem) => !problem.endsWith("characters"),
  );
  return [...tooLong(prefix, 253), ...form].map((problem) => `prefix part ${problem}`);
}

function namePartProblems(name: string): readonly string[] {
  const problems = name === "" ? ["must be non-empty"] : tooLong(name, 63);
  if (!whole(qualified).test(name))
    problems.push(mustMatch(qualifiedRule, qualified, qualifiedExamples));
  return problems.map((problem) => `name part ${problem}`);
}

export function labelValueProblems(value: string): readonly string[] {
  const regex = `(${qualified})?`;
  const problems = tooLong(value, 63);
  if (!whole(regex).test(value)) {
    const rule =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    problems.push(mustMatch(rule, regex, ["MyValue", "my_value", "12345"]));
  }
  return problems;
}

/** The relaxed rule that is the default since 1.34: printable ASCII without "=". */
export function environmentNameProblems(value: string): readonly string[] {
  if (value === "") return ["environment variable name must be non-empty"];
  if (/^[\x20-\x3c\x3e-\x7e]*$/.test(value)) return [];
  return [
    "a valid environment variable name must consist only of printable ASCII characters other than '='",
  ];
}

/** Keys of config maps and secrets. */
export function configKeyProblems(value: string): readonly string[] {
  const problems = tooLongName(value, 253);
  const regex = "[-._a-zA-Z0-9]+";
  if (!whole(regex).test(value)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    problems.push(mustMatch(rule, regex, ["key.name", "KEY_NAME", "key-name"]));
  }
  if (value === "." || value === "..") problems.push(`must not be '${value}'`);
  else if (value.startsWith("..")) problems.push("must not start with '..'");
  return problems;
}

/** IANA service names: names of ports. */
export function portNameProblems(value: string): readonly string[] {
  const problems = tooLongName(value, 15);
  if (!/^[-a-z0-9]+$/.test(value)) {
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(value)) problems.push("must contain at least one letter (a-z)");
  if (value.includes("--")) problems.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) {
    problems.push("must not begin or end with a hyphen");
  }
  return problems;
}

export function portNumberProblems(value: number): readonly string[] {
  return rangeProblems(value, 1, 65_535);
}

export function rangeProblems(value: number, min: number, max: number): readonly string[] {
  return value >= min && value <= max ? [] : [`must be between ${min} and ${max}, inclusive`];
}

/** User and group ids. */
export function userIdProblems(value: number): readonly string[] {
  return rangeProblems(value, 0, 0xffff_ffff);
}

export function percentProblems(value: string): readonly string[] {
  const regex = "[0-9]+%";
  if (whole(regex).test(value)) return [];
  const rule = "a valid percent string must be a numeric string followed by an ending '%'";
  return [mustMatch(rule, regex, ["1%", "93%"])];
}

export function headerNameProblems(value: string): readonly string[] {
  const regex = "[-A-Za-z0-9]+";
  if (whole(regex).test(value)) return [];
  const rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return [mustMatch(rule, regex, ["X-Header-Name"])];
}

/** `domain/path`, as `signerName` and job condition managers have it. */
export function domainPathProblems(value: string): readonly string[] {
  const slash = value.indexOf("/");
  if (slash <= 0 || slash === value.length - 1) {
    return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  }
  const path = value.slice(slash + 1);
  const regex = String.raw`[A-Za-z0-9/\-._~%!$&'()*+,;=:]+`;
  const problems = dns1123SubdomainProblems(value.slice(0, slash));
  return whole(regex).test(path) ? problems : [...problems, mustMatch("Invalid path", regex, [])];
}
