import { badRequest, notFound } from "#api/status.ts";
import { admitWhole } from "#apiserver/admission/admission.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObject } from "#apiserver/objects/read.ts";

/** Requests through the server to a node, a pod or a service; the name may be `https:name:port`. */
export async function proxy(call: Call): Promise<Answer> {
  const { scheme, name, port } = partsOf(call);
  const named: Call = { ...call, info: { ...call.info, name } };
  const object = (await readObject(named)).object;
  const path = call.info.rest.length === 0 ? trailing(call) : `/${rawRest(call)}`;
  const to = targets[call.kind.resource];
  if (to === undefined) throw notFound(call.kind, name);
  const { query } = call.request;
  await admitWhole(call, {
    operation: "CONNECT",
    object: { kind: `${call.kind.kind}ProxyOptions`, apiVersion: "v1", ...(path && { path }) },
    old: undefined,
  });
  if (path === "" && isRead(call)) return { kind: "redirect", location: withSlash(call) };
  return { kind: "connect", target: { kind: "proxy", to, object, scheme, port, path, query } };
}

/** One who follows the links of a page must know that what is behind the proxy begins there. */
function isRead({ request }: Call): boolean {
  const reads = request.method === "GET" || request.method === "HEAD";
  return reads && request.header("upgrade") === undefined;
}

function withSlash({ request }: Call): string {
  return `${request.path}/${request.query.size === 0 ? "" : `?${request.query.toString()}`}`;
}

const targets: Readonly<Record<string, "node" | "pod" | "service">> = {
  nodes: "node",
  pods: "pod",
  services: "service",
};

function partsOf(call: Call): {
  scheme: string | undefined;
  name: string;
  port: string | undefined;
} {
  const parts = call.info.name.split(":");
  if (parts.length === 1) return { scheme: undefined, name: parts[0] ?? "", port: undefined };
  const [first = "", second = "", third] = parts;
  if (third === undefined) return { scheme: undefined, name: first, port: second || undefined };
  if (parts.length > 3 || (first !== "http" && first !== "https" && first !== "")) {
    throw badRequest(
      `invalid ${targets[call.kind.resource]} request ${JSON.stringify(call.info.name)}`,
    );
  }
  return { scheme: first || undefined, name: second, port: third || undefined };
}

function trailing(call: Call): string {
  return call.request.path.endsWith("/") ? "/" : "";
}

/** As it stood in the request line: what is escaped there stays so. */
function rawRest(call: Call): string {
  const segments = call.request.path.split("/").filter(Boolean);
  return segments.slice(segments.length - call.info.rest.length).join("/") + trailing(call);
}
