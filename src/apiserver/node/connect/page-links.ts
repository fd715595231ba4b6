import { Buffer } from "node:buffer";

/** Where clients find a server that believes it is at the root: what a page's links and redirects have to be led through. */
export interface Mount {
  /** The path before the server's own, without a slash at its end, in characters that no quoting is needed for. */
  readonly prefix: string;
  /** How the server's URLs may name it: `10.0.0.5:8080`, in lower case. */
  readonly hosts: readonly string[];
  /** The host as the client called it, which it may have been told. */
  readonly clientHost: string | undefined;
}

/** A piece of a URL and what stands there instead. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * How a URL has to be changed to lead through the proxy, as upstream's rewriting transport does it: paths from the root
 * get the prefix unless they have it, with the server's own host or none; relative ones, and those of other hosts, stay.
 */
export function spliceOf(url: string, mount: Mount): Splice | undefined {
  const parts = urlPattern.exec(url)?.groups;
  const path = parts?.["path"];
  if (parts === undefined || path === undefined) return undefined;
  const { space = "", origin = "", host = "" } = parts;
  const place = placeOf(host.toLowerCase(), mount);
  if (place === "elsewhere") return undefined;
  const end = space.length + origin.length;
  const start = place === "server" ? space.length : end;
  const text = isBelow(path, mount.prefix) ? "" : mount.prefix;
  return start === end && text === "" ? undefined : { start, end, text };
}

const urlPattern =
  /^(?<space>[\t\n\f\r ]{0,16})(?<origin>(?:https?:)?\/\/(?<host>[^/?#]+))?(?<path>\/[^?#]*)/i;

function placeOf(host: string, mount: Mount): "root" | "client" | "server" | "elsewhere" {
  if (host === "") return "root";
  if (host === mount.clientHost?.toLowerCase()) return "client";
  return mount.hosts.includes(host) ? "server" : "elsewhere";
}

/** Servers that are told the prefix (`X-Forwarded-Uri`) put it in their links themselves. */
function isBelow(path: string, prefix: string): boolean {
  const [asked, wanted] = [decoded(path), decoded(prefix)];
  return asked === wanted || asked.startsWith(`${wanted}/`);
}

function decoded(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}

export function applySplice(url: string, splice: Splice | undefined): string {
  if (splice === undefined) return url;
  return url.slice(0, splice.start) + splice.text + url.slice(splice.end);
}

/** A `Location` header's value, led through the proxy; what has no place in a URL is escaped in all of them. */
export function locationBehind(location: string, mount: Mount): string {
  return applySplice(location, spliceOf(location, mount)).replaceAll(
    /[^\x21-\x7e]|["<>\\^`{|}]/g,
    percentEncoded,
  );
}

/** A path as it stood in a request line, in characters that need no quoting in a header or in HTML. */
export function plainPath(path: string): string {
  return path.replaceAll(/[^\w.~:%/@!$()*+,;-]/g, percentEncoded);
}

/** Headers come as one character for each byte. */
function percentEncoded(character: string): string {
  return `%${Buffer.from(character, "latin1").toString("hex").toUpperCase()}`;
}
