import type { Asked } from "#addons/access/asked.ts";

const resourceText =
  /^(?:.*?: )?\S+(?: "(?<name>[^"]*)")? is forbidden: User "(?<user>[^"]*)" cannot (?<verb>\S+) resource "(?<resource>[^"/]+)(?:\/(?<subresource>[^"]+))?" in API group "(?<group>[^"]*)" (?:at the cluster scope|in the namespace "(?<namespace>[^"]*)")/;
const pathText = /forbidden: User "(?<user>[^"]*)" cannot (?<verb>\S+) path "(?<path>[^"]*)"/;

/** Reads a Forbidden answer as the server words it: who wanted what. Undefined when it is another text. */
export function readForbiddenText(
  text: string,
): { readonly user: string; readonly asked: Asked } | undefined {
  const ofPath = pathText.exec(text)?.groups;
  const found = ofPath ?? resourceText.exec(text)?.groups;
  if (found === undefined) return undefined;
  const part = (name: string): string => found[name] ?? "";
  return {
    user: part("user"),
    asked: {
      verb: part("verb"),
      isResource: ofPath === undefined,
      group: part("group"),
      resource: part("resource"),
      subresource: part("subresource"),
      name: part("name"),
      namespace: part("namespace"),
      path: part("path"),
    },
  };
}
