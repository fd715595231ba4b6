/**
 * What a request asks for, read from its method, path and query alone. The rules are those of upstream's
 * `RequestInfoFactory`, because authorization and audit policies are written against its words.
 */
export interface RequestInfo {
  readonly isResource: boolean;
  /** `get`, `list`, `watch`, `create`, … or, for other paths, the method in lower case. */
  readonly verb: string;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** What follows the subresource: the path behind a proxy. */
  readonly rest: readonly string[];
}

/** Undefined where the path cannot be decoded. */
export function requestInfo(
  method: string,
  path: string,
  query: URLSearchParams,
): RequestInfo | undefined {
  const segments = decodeSegments(path);
  if (segments === undefined) return undefined;
  const root = groupVersionOf(segments);
  if (root === undefined || root.rest.length === 0) return nonResource(method, path);
  return resourceInfo({ method, path, query }, root);
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly rest: readonly string[];
}

function groupVersionOf(segments: readonly string[]): GroupVersion | undefined {
  const [prefix, second, third] = segments;
  if (prefix === "api" && second !== undefined) {
    return { group: "", version: second, rest: segments.slice(2) };
  }
  if (prefix === "apis" && second !== undefined && third !== undefined) {
    return { group: second, version: third, rest: segments.slice(3) };
  }
  return undefined;
}

/** What a path that is no resource's asks for. */
export function nonResource(method: string, path: string): RequestInfo {
  return {
    isResource: false,
    verb: method.toLowerCase(),
    path,
    group: "",
    version: "",
    namespace: "",
    resource: "",
    subresource: "",
    name: "",
    rest: [],
  };
}

interface Line {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

function resourceInfo(line: Line, root: GroupVersion): RequestInfo {
  const watchPath = root.rest[0] === "watch" && root.rest.length > 1;
  const where = locate(watchPath ? root.rest.slice(1) : root.rest);
  const named = { ...where, name: where.name === "" ? nameFromSelector(line.query) : where.name };
  const verb = verbOf(line, { watchPath, isCollection: where.name === "" });
  const collection = verb === "list" || verb === "watch" || verb === "deletecollection";
  return {
    isResource: true,
    verb,
    path: line.path,
    group: root.group,
    version: root.version,
    ...(collection ? named : where),
  };
}

function locate(parts: readonly string[]) {
  let namespace = "";
  let rest = parts;
  if (parts[0] === "namespaces" && parts[1] !== undefined) {
    namespace = parts[1];
    const third = parts[2];
    if (third !== undefined && !namespaceSubresources.has(third)) rest = parts.slice(2);
  }
  const [resource = "", name = "", subresource = ""] = rest;
  return { namespace, resource, name, subresource, rest: rest.slice(3) };
}

const namespaceSubresources: ReadonlySet<string> = new Set(["status", "finalize"]);

function verbOf(
  line: Line,
  at: { readonly watchPath: boolean; readonly isCollection: boolean },
): string {
  if (at.watchPath && line.method === "GET") return "watch";
  switch (line.method) {
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return at.isCollection ? "deletecollection" : "delete";
    case "GET":
    case "HEAD":
      if (isTrue(line.query.get("watch"))) return "watch";
      return at.isCollection ? "list" : "get";
    default:
      return "";
  }
}

/** A list or watch of one object by `metadata.name` is authorized as that object. */
function nameFromSelector(query: URLSearchParams): string {
  const selector = query.get("fieldSelector") ?? "";
  const match = /(?:^|,)metadata\.name==?([^,!=]+)(?:,|$)/.exec(selector);
  return match?.[1] ?? "";
}

/** How upstream reads a flag in a query: present and neither `false` nor `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== "false" && value !== "0" && value !== "";
}

function decodeSegments(path: string): string[] | undefined {
  const segments = path.split("/").filter((segment) => segment !== "");
  if (!path.includes("%")) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
