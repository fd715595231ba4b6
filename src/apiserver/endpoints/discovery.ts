import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
} from "#api/kinds/discovery.ts";
import type { JsonObject } from "#api/kind.ts";
import { discoverables } from "#apiserver/aggregation/discoverables.ts";
import { formOf, parseAccept, type Form } from "#apiserver/content/accept.ts";
import { bytesResponse, utf8 } from "#apiserver/content/bytes.ts";
import { encodeValue } from "#apiserver/content/encode.ts";
import { contentHash, matchesTag } from "#apiserver/endpoints/entity-tag.ts";
import { withStorageHashes } from "#apiserver/endpoints/storage-version-hash.ts";
import type { ApiRequest, ApiResponse, Headers } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** `/api`, `/apis` and below: what is served, in the old form or all at once. */
export async function answerDiscovery(
  state: ServerState,
  request: ApiRequest,
  path: string,
): Promise<ApiResponse | undefined> {
  const root = path === "/api" ? "api" : "apis";
  if (path === "/api" || path === "/apis") {
    const aggregated = aggregatedVersion(request);
    if (aggregated !== undefined) return answerAggregated(state, request, root);
  }
  const document = legacyDocument(state, path);
  if (document === undefined) return undefined;
  const isList = document.kind === "APIResourceList";
  const value = isList ? await withStorageHashes(document, state.kinds) : document;
  const form = formOf(request, { as: ["object"] });
  return encodeValue(
    request,
    { status: 200, headers: [["vary", "Accept"]], value },
    jsonForm(form),
  );
}

/** Discovery has no protobuf form here; every client that asks for it also takes JSON. */
function jsonForm(form: Form): Form {
  return form.media === "protobuf" ? { ...form, media: "json" } : form;
}

function legacyDocument(state: ServerState, path: string): JsonObject | undefined {
  const kinds = discoverables(state);
  const segments = path.split("/").filter(Boolean);
  if (path === "/api") return apiVersions;
  if (path === "/apis") return apiGroupList(kinds);
  const [root, second, third] = segments;
  if (root === "api" && segments.length === 2) return apiResourceList(kinds, second ?? "");
  if (root === "apis" && segments.length === 2) return apiGroup(kinds, second ?? "");
  if (root === "apis" && segments.length === 3) return apiResourceList(kinds, `${second}/${third}`);
  return undefined;
}

const apiVersions: JsonObject = {
  kind: "APIVersions",
  apiVersion: "v1",
  versions: ["v1"],
  serverAddressByClientCIDRs: [],
};

/** Whether the caller would rather have everything at once, in the one version there is. */
function aggregatedVersion(request: ApiRequest): "v2" | undefined {
  for (const { type, parameters } of parseAccept(request.header("accept") ?? "")) {
    if (type !== "application/json" && type !== "*/*") continue;
    const as = parameters.get("as");
    if (as === undefined) return undefined;
    const isV2 = parameters.get("v") === "v2" && parameters.get("g") === "apidiscovery.k8s.io";
    if (as === "APIGroupDiscoveryList" && isV2) return "v2";
  }
  return undefined;
}

async function answerAggregated(
  state: ServerState,
  request: ApiRequest,
  root: "api" | "apis",
): Promise<ApiResponse> {
  if (request.answer === "objects") {
    const value = aggregatedDiscovery(discoverables(state), root);
    return { kind: "object", status: 200, headers: [], value };
  }
  const { bytes, hash } = await aggregatedDocument(state, root);
  const headers: Headers = [
    ["etag", `"${hash}"`],
    ["vary", "Accept"],
    ["cache-control", "public"],
  ];
  if (matchesTag(request, hash)) {
    return { kind: "bytes", status: 304, headers, lengthBytes: 0, chunks: [] };
  }
  const type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  return bytesResponse(200, { type, bytes }, headers);
}

interface Document {
  readonly generation: string;
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** Every client asks for it first; it is made again only when the kinds have changed. */
async function aggregatedDocument(state: ServerState, root: "api" | "apis"): Promise<Document> {
  const generation = `${state.kinds.generation}/${state.extensions.generation}`;
  const known = documents.get(state)?.get(root);
  if (known?.generation === generation) return known;
  const bytes = utf8(JSON.stringify(aggregatedDiscovery(discoverables(state), root)));
  const made = { generation, bytes, hash: await contentHash(bytes) };
  const ofState = documents.get(state) ?? new Map<string, Document>();
  documents.set(state, ofState.set(root, made));
  return made;
}

const documents = new WeakMap<ServerState, Map<string, Document>>();
