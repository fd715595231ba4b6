import { fixedCost, traversal } from "#api/cel/cost/call-cost.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { urlType } from "#api/cel/library/opaque.ts";
import { CelObject, EvaluationError, MapValue, type Value } from "#api/cel/value.ts";

class UrlValue extends CelObject {
  readonly type = urlType;
  readonly text: string;
  readonly parts: UrlParts;

  constructor(text: string, parts: UrlParts) {
    super();
    this.text = text;
    this.parts = parts;
  }

  equals(other: CelObject): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
}

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

const nominal = { cost: fixedCost(1) };

/** URLs and absolute paths, as Go's `net/url` reads them. */
export const urls: readonly FunctionRow[] = [
  row("url", "(string) kubernetes.URL", readUrl, { cost: traversal(0.1, true) }),
  row("isURL", "(string) bool", (text: string) => typeof parseUrl(text) !== "string"),
  row("getScheme", "kubernetes.URL.() string", ({ parts }: UrlValue) => parts.scheme, nominal),
  row("getHost", "kubernetes.URL.() string", ({ parts }: UrlValue) => parts.host, nominal),
  row(
    "getHostname",
    "kubernetes.URL.() string",
    ({ parts }: UrlValue) => hostnameOf(parts.host),
    nominal,
  ),
  row("getPort", "kubernetes.URL.() string", ({ parts }: UrlValue) => portOf(parts.host), nominal),
  row(
    "getEscapedPath",
    "kubernetes.URL.() string",
    ({ parts }: UrlValue) => escapedPath(parts.path),
    nominal,
  ),
  row(
    "getQuery",
    "kubernetes.URL.() map(string, list(string))",
    ({ parts }: UrlValue) => queryOf(parts.query),
    nominal,
  ),
];

function readUrl(text: string): UrlValue {
  const parts = parseUrl(text);
  if (typeof parts !== "string") return new UrlValue(text, parts);
  throw new EvaluationError(
    `URL parse error during conversion from string: parse ${JSON.stringify(text)}: ${parts}`,
  );
}

/** The parts, or why the text is no URL. */
export function parseUrl(text: string): UrlParts | string {
  if (text === "") return "empty url";
  // oxlint-disable-next-line no-control-regex -- Go refuses exactly these.
  if (/[\0-\x1f\x7f]/.test(text)) return "net/url: invalid control character in URL";
  if (text.startsWith(":")) return "missing protocol scheme";
  const [, scheme = "", rest = ""] = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(.*)$/s.exec(text) ?? [];
  if (scheme === "" && !rest.startsWith("/")) return "invalid URI for request";
  const [beforeFragment = ""] = rest.split("#", 1);
  const mark = beforeFragment.indexOf("?");
  const target = mark < 0 ? beforeFragment : beforeFragment.slice(0, mark);
  const query = mark < 0 ? "" : beforeFragment.slice(mark + 1);
  if (!target.startsWith("/")) return { scheme: scheme.toLowerCase(), host: "", path: "", query };
  const hasHost = target.startsWith("//") && (scheme !== "" || !target.startsWith("///"));
  const [, authority = "", path = ""] = (hasHost ? /^\/\/([^/]*)(.*)$/s.exec(target) : null) ?? [
    "",
    "",
    target,
  ];
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  const problem = hostProblem(host) ?? escapeProblem(path);
  return problem ?? { scheme: scheme.toLowerCase(), host, path, query };
}

function hostProblem(host: string): string | undefined {
  if (host.startsWith("[")) {
    if (!host.includes("]")) return "missing ']' in host";
    const port = host.slice(host.indexOf("]") + 1);
    return /^(?::\d*)?$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`;
  }
  const port = host.includes(":") ? host.slice(host.lastIndexOf(":")) : "";
  if (!/^(?::\d*)?$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  const wrong = /[\s\\^`{|}#?]/.exec(host)?.[0];
  if (wrong !== undefined) return `invalid character ${JSON.stringify(wrong)} in host name`;
  return escapeProblem(host);
}

function escapeProblem(text: string): string | undefined {
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text)?.[0];
  return wrong === undefined ? undefined : `invalid URL escape ${JSON.stringify(wrong)}`;
}

function hostnameOf(host: string): string {
  if (host.startsWith("[")) return host.slice(1, host.indexOf("]"));
  return host.replace(/:\d*$/, "");
}

function portOf(host: string): string {
  return /(?:^|[^:\]]|\]):(\d*)$/.exec(host)?.[1] ?? "";
}

function escapedPath(path: string): string {
  return path.toWellFormed().replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]+/gu, encodeURIComponent);
}

/** Entries that are wrongly written are left out. */
function queryOf(query: string): Value {
  const lists = new Map<string, string[]>();
  for (const part of query.split("&")) {
    if (part === "" || part.includes(";") || escapeProblem(part) !== undefined) continue;
    const [name = "", ...value] = part.split("=");
    const key = unescaped(name);
    lists.set(key, [...(lists.get(key) ?? []), unescaped(value.join("="))]);
  }
  const map = new MapValue();
  for (const [name, values] of lists) map.add(name, values);
  return map;
}

function unescaped(text: string): string {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
