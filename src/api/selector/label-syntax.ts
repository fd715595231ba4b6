// The texts are upstream's (apimachinery `api/validate/content`): clients match on them.

const nameFormat = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const namePattern = new RegExp(`^${nameFormat}$`);
const nameRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  `(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${nameFormat}')`;

const subdomainFormat = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const subdomainPattern = new RegExp(`^${subdomainFormat}$`);

const valueFormat = `(${nameFormat})?`;
const valuePattern = new RegExp(`^${valueFormat}$`);

/** What is wrong with the key of a label, in upstream's words; empty when nothing is. */
export function labelKeyProblems(key: string): string[] {
  const parts = key.split("/");
  if (parts.length > 2) {
    return [
      `a qualified name ${nameRule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? prefixProblems(parts[0] ?? "") : [];
  return [...prefix, ...namePartProblems(name)];
}

/** What is wrong with the value of a label; empty when nothing is. */
export function labelValueProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 63) problems.push("must be no more than 63 bytes");
  if (!valuePattern.test(value)) {
    problems.push(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start " +
        "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', " +
        `regex used for validation is '${valueFormat}')`,
    );
  }
  return problems;
}

function prefixProblems(prefix: string): string[] {
  if (prefix === "") return ["prefix part must be non-empty"];
  const problems: string[] = [];
  if (prefix.length > 253) problems.push("prefix part must be no more than 253 bytes");
  if (!subdomainPattern.test(prefix)) {
    problems.push(
      "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
        "and must start and end with an alphanumeric character (e.g. 'example.com', " +
        `regex used for validation is '${subdomainFormat}')`,
    );
  }
  return problems;
}

function namePartProblems(name: string): string[] {
  const problems: string[] = [];
  if (name === "") problems.push("name part must be non-empty");
  else if (name.length > 63) problems.push("name part must be no more than 63 bytes");
  if (!namePattern.test(name)) problems.push(`name part ${nameRule}`);
  return problems;
}
