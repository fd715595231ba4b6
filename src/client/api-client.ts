import type { Status } from "#api/generated/types.ts";
import { nameOf, namespaceOf, type KubeObject, type ObjectName } from "#api/meta.ts";
import { apiVersionOf, pathOf, type Resource } from "#api/resource.ts";
import { StatusError } from "#api/status.ts";
import type {
  Client,
  DeleteOptions,
  List,
  ListOptions,
  Patch,
  SubresourceOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "#client/client.ts";
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatchEvent,
} from "#client/transport.ts";

/** A client over any transport: it knows paths, queries and refusals, and nothing of how bytes travel. */
export function createClient(transport: Transport): Client {
  const ask = async (request: TransportRequest): Promise<unknown> =>
    valueOf(await transport.request(request));
  return {
    get: async (resource, at, { signal } = {}) =>
      (await ask({ method: "GET", path: pathOf(resource, at), signal })) as never,
    list: async (resource, options = {}) => {
      const answer = await ask({
        method: "GET",
        path: pathOf(resource, { namespace: options.namespace }),
        query: listQuery(options),
        signal: options.signal,
      });
      return listOf(resource, answer as RawList) as never;
    },
    watch: async (resource, options) => {
      const events = await transport.watch({
        method: "GET",
        path: pathOf(resource, { namespace: options.namespace }),
        query: watchQuery(options),
        signal: options.signal,
      });
      return typedEvents(events) as never;
    },
    create: async (resource, object, options = {}) =>
      (await ask({
        method: "POST",
        path: pathOf(resource, { namespace: namespaceOf(object) }),
        query: writeQuery(options),
        body: object,
        signal: options.signal,
      })) as never,
    update: async (resource, object, options = {}) =>
      (await ask({
        method: "PUT",
        path: objectPath(resource, whereIs(object), options.subresource),
        query: writeQuery(options),
        body: object,
        signal: options.signal,
      })) as never,
    patch: async (resource, at, patch, options = {}) =>
      (await ask({
        method: "PATCH",
        path: objectPath(resource, at, options.subresource),
        query: writeQuery(options),
        contentType: patchTypes[patch.kind],
        body: patchBody(patch),
        signal: options.signal,
      })) as never,
    delete: async (resource, at, options = {}) => {
      await ask({
        method: "DELETE",
        path: pathOf(resource, at),
        body: deleteBody(options),
        signal: options.signal,
      });
    },
    deleteCollection: async (resource, options = {}) => {
      await ask({
        method: "DELETE",
        path: pathOf(resource, { namespace: options.namespace }),
        query: listQuery(options),
        body: deleteBody(options),
        signal: options.signal,
      });
    },
    post: async (resource, at, body, options = {}) =>
      (await ask({
        method: "POST",
        path: pathOf(resource, at),
        query: writeQuery(options),
        body,
        signal: options.signal,
      })) as never,
    read: async (path, { signal, query } = {}) =>
      decoded(await ask({ method: "GET", path, ...(query && { query }), signal })),
  };
}

/** The refusal a server's answer stands for. An answer that is no `Status` gets one with what is known. */
export function statusErrorOf(code: number, value: unknown): StatusError {
  const status = isStatus(value) ? value : undefined;
  return new StatusError({
    code: status?.code ?? code,
    reason: status?.reason ?? "Unknown",
    message: status?.message ?? `The server answered ${code}: ${textOf(value)}`,
    ...(status?.details && { details: status.details }),
  });
}

/** Ready-made documents may come as the text they are kept in. */
function decoded(value: unknown): unknown {
  return typeof value === "string" && value.startsWith("{") ? JSON.parse(value) : value;
}

const patchTypes: Readonly<Record<Patch["kind"], string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

function patchBody(patch: Patch): unknown {
  return patch.kind === "json" ? patch.operations : patch.value;
}

interface RawList {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubeObject[] | null;
}

function listOf(resource: Resource, answer: RawList): List<KubeObject> {
  const next = answer.metadata?.continue;
  return {
    items: (answer.items ?? []).map((item) => withType(resource, item)),
    resourceVersion: answer.metadata?.resourceVersion ?? "",
    ...(next && { continue: next }),
  };
}

/** The items of a list need not say their own kind; objects do. */
function withType(resource: Resource, item: KubeObject): KubeObject {
  if (item.kind && item.apiVersion) return item;
  return Object.freeze({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind });
}

async function* typedEvents(
  events: AsyncIterable<TransportWatchEvent>,
): AsyncGenerator<WatchEvent<KubeObject>> {
  for await (const event of events) {
    if (event.type === "ERROR") throw statusErrorOf(500, event.object);
    const object = event.object as KubeObject;
    yield event.type === "BOOKMARK" ? bookmarkOf(object) : { type: event.type, object };
  }
}

function bookmarkOf(object: KubeObject): WatchEvent<KubeObject> {
  const { resourceVersion, annotations } = object.metadata;
  return {
    type: "BOOKMARK",
    resourceVersion: resourceVersion ?? "",
    initialEventsEnd: annotations?.["k8s.io/initial-events-end"] === "true",
  };
}

function listQuery(options: ListOptions): Record<string, string | undefined> {
  return {
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: options.resourceVersion,
    limit: options.limit?.toString(),
    continue: options.continue,
  };
}

function watchQuery(options: WatchOptions): Record<string, string | undefined> {
  return {
    ...listQuery(options),
    watch: "true",
    allowWatchBookmarks: options.allowWatchBookmarks?.toString(),
    timeoutSeconds: options.timeoutSeconds?.toString(),
    ...(options.sendInitialEvents !== undefined && {
      sendInitialEvents: String(options.sendInitialEvents),
      resourceVersionMatch: "NotOlderThan",
    }),
  };
}

function writeQuery(
  options: SubresourceOptions & WriteOptions,
): Record<string, string | undefined> {
  return {
    fieldManager: options.fieldManager,
    dryRun: options.dryRun ? "All" : undefined,
    force: options.force === undefined ? undefined : String(options.force),
  };
}

function deleteBody(options: DeleteOptions): unknown {
  const { gracePeriodSeconds, propagationPolicy, preconditions } = options;
  return {
    kind: "DeleteOptions",
    apiVersion: "v1",
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(propagationPolicy && { propagationPolicy }),
    ...(preconditions && { preconditions }),
  };
}

function objectPath(resource: Resource, at: ObjectName, subresource?: string): string {
  return pathOf(resource, { ...at, ...(subresource && { subresource }) });
}

function whereIs(object: KubeObject): ObjectName {
  return { name: nameOf(object), namespace: namespaceOf(object) };
}

function valueOf(response: TransportResponse): unknown {
  if (response.status >= 200 && response.status < 300) return response.value;
  throw statusErrorOf(response.status, response.value);
}

function isStatus(value: unknown): value is Status {
  return typeof value === "object" && value !== null && (value as Status).kind === "Status";
}

/** How much of an answer that is no Status an error message shows. */
const shownMax = 200;

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
