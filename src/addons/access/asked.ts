import type { AskedAccess } from "#api/rbac/policy-rule.ts";
import type { ServedResource } from "#client/discovery.ts";

/** What is asked about: to do something with a resource, or with a path such as `/healthz`. */
export interface Asked extends AskedAccess {
  /** `""`: cluster-wide. */
  readonly namespace: string;
}

export interface AskedWords {
  readonly verb: string;
  /** `pods`, `deploy`, `deployments.apps`, `pods/log`, `pods/web-1`, or a path that begins with `/`. */
  readonly target: string;
  readonly subresource?: string;
  readonly namespace?: string;
}

/** Reads what a person typed, as `kubectl auth can-i` reads it. @throws when the server knows no such resource */
export function readAsked(words: AskedWords, served: readonly ServedResource[]): Asked {
  const { verb, target, subresource = "", namespace = "" } = words;
  const nothing = { group: "", resource: "", subresource: "", name: "", path: "", namespace: "" };
  if (target.startsWith("/")) return { ...nothing, verb, isResource: false, path: target };
  const [typed = "", rest = ""] = splitOnce(target, "/");
  const known = findResource(typed, served);
  const isPart = rest !== "" && known.subresources.includes(rest);
  return {
    ...nothing,
    verb,
    isResource: true,
    group: known.group,
    resource: known.resource,
    subresource: subresource || (isPart ? rest : ""),
    name: isPart ? "" : rest,
    namespace: known.namespaced ? namespace : "",
  };
}

/** By plural, singular, kind or short name, with or without `.group`. */
function findResource(typed: string, served: readonly ServedResource[]): ServedResource {
  const wanted = typed.toLowerCase();
  const [name = "", group] = splitOnce(wanted, ".");
  const answersTo = (one: ServedResource, asked: string): boolean =>
    one.resource === asked ||
    one.kind.toLowerCase() === asked ||
    one.singular === asked ||
    one.shortNames.includes(asked);
  const found = served.find(
    (one) => answersTo(one, name) && (group === undefined || one.group === group),
  );
  if (found) return found;
  const near = [...new Set(served.map(({ resource }) => resource))]
    .filter((resource) => resource.startsWith(name.slice(0, nearLetters)))
    .slice(0, nearMax);
  const hint = near.length > 0 ? `; there are ${near.join(", ")}` : "";
  throw new Error(`Cannot ask about "${typed}": the server has no such resource${hint}`);
}

/** How many letters a suggestion shares with what was typed, and how many suggestions there are. */
const nearLetters = 3;
const nearMax = 5;

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

/** `list pods in the namespace "dev"`, `get deployments.apps "web" in every namespace`, `get /healthz`. */
export function askedText(asked: Asked): string {
  if (!asked.isResource) return `${asked.verb} ${asked.path}`;
  const part = asked.subresource === "" ? "" : `/${asked.subresource}`;
  const group = asked.group === "" ? "" : `.${asked.group}`;
  const name = asked.name === "" ? "" : ` "${asked.name}"`;
  const where = asked.namespace === "" ? "in the whole cluster" : `in "${asked.namespace}"`;
  return `${asked.verb} ${asked.resource}${group}${part}${name} ${where}`;
}
