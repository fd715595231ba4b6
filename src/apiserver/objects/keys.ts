import type { Kind } from "#api/kind.ts";
import { badRequest } from "#api/status.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";

/** The key of an object in the store: `/registry/GROUP/RESOURCE/NAMESPACE/NAME`. */
export function objectKey(kind: Kind, namespace: string, name: string): string {
  assertPathSegment(name);
  if (kind.namespaced && namespace !== "") assertPathSegment(namespace);
  const prefix = resourcePrefix(kind.stored);
  return kind.namespaced ? `${prefix}${namespace}/${name}` : `${prefix}${name}`;
}

/** The prefix of all keys of a kind, or of those in one namespace. */
export function collectionPrefix(kind: Kind, namespace: string): string {
  const prefix = resourcePrefix(kind.stored);
  if (!kind.namespaced || namespace === "") return prefix;
  assertPathSegment(namespace);
  return `${prefix}${namespace}/`;
}

/** Names come from request paths: none may reach into another object's keys. */
function assertPathSegment(name: string): void {
  const problem = pathSegmentProblem(name);
  if (problem !== undefined)
    throw badRequest(`Name parameter invalid: "${printable(name)}": ${problem}`);
}

function pathSegmentProblem(name: string): string | undefined {
  if (name === "." || name === "..") return `may not be '${name}'`;
  if (name.includes("/")) return "may not contain '/'";
  if (name.includes("%")) return "may not contain '%'";
  if (/\p{Cc}/u.test(name)) return "may not contain control characters";
  if (name.length > nameLettersMax) return `may not be longer than ${nameLettersMax}`;
  return undefined;
}

function printable(name: string): string {
  return name.slice(0, nameLettersMax).replace(/\p{Cc}/gu, "?");
}

/** Longer than any valid name; keeps keys within what stores take. */
const nameLettersMax = 512;
