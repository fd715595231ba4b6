import type { JsonObject } from "#api/kind.ts";
import { withExtensions } from "#apiserver/aggregation/openapi-with-extensions.ts";
import { bytesResponse, utf8 } from "#apiserver/content/bytes.ts";
import { withCustomKinds } from "#apiserver/custom/openapi-with-custom.ts";
import { matchesTag } from "#apiserver/endpoints/entity-tag.ts";
import { notAcceptable, parseAccept } from "#apiserver/content/accept.ts";
import type { OpenApiDocument, OpenApiFiles } from "#apiserver/parts.ts";
import type { ApiRequest, ApiResponse, Headers } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** `/openapi/v2`, `/openapi/v3` and the documents below it, from the files built with the package and the custom kinds. */
export async function answerOpenApi(
  state: ServerState,
  request: ApiRequest,
  path: string,
): Promise<ApiResponse | undefined> {
  if (state.openApi === undefined) return undefined;
  const files = withExtensions(withCustomKinds(state.openApi, state.kinds), state);
  if (path === "/openapi/v2") {
    return answerV2(request, files);
  }
  if (path === "/openapi/v3") return indexResponse(files);
  if (!path.startsWith("/openapi/v3/")) return undefined;
  const document = await files.v3(path.slice("/openapi/v3/".length));
  if (document === undefined) return undefined;
  assertJson(request);
  return documentResponse(request, document, cachingFor(request, document));
}

async function answerV2(request: ApiRequest, files: OpenApiFiles): Promise<ApiResponse> {
  const types = parseAccept(request.header("accept") ?? "").map((wish) => wish.type);
  const protobuf = types.findIndex((type) => protobufTypes.includes(type));
  const json = types.indexOf("application/json");
  if (files.v2Protobuf && protobuf >= 0 && (json < 0 || protobuf < json)) {
    const document = await files.v2Protobuf();
    return documentResponse(request, { ...document, type: protobufAnswerType }, []);
  }
  assertJson(request);
  return documentResponse(request, await files.v2(), []);
}

const protobufTypes = [
  "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
  "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];
/** Without the "@", which Go's parser of media types refuses. */
const protobufAnswerType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** Clients that also know the protobuf form say so; one that knows nothing else is told what there is. */
function assertJson(request: ApiRequest): void {
  const header = request.header("accept") ?? "";
  const types = parseAccept(header).map((wish) => wish.type);
  const json = ["application/json", "application/*", "*/*"];
  if (types.length > 0 && !types.some((type) => json.includes(type))) throw notAcceptable();
}

/** A document that was asked for by its hash never changes. */
function cachingFor(request: ApiRequest, document: OpenApiDocument): Headers {
  const asked = request.query.get("hash");
  if (asked === null) return [["cache-control", "no-cache, private"]];
  return asked === document.hash ? [["cache-control", "public, immutable"]] : [];
}

function documentResponse(
  request: ApiRequest,
  document: OpenApiDocument & { readonly type?: string },
  caching: Headers,
): ApiResponse {
  const headers: Headers = [
    ["etag", `"${document.hash}"`],
    ["vary", "Accept-Encoding"],
    ["vary", "Accept"],
    ...caching,
  ];
  if (matchesTag(request, document.hash)) {
    return { kind: "bytes", status: 304, headers, lengthBytes: 0, chunks: [] };
  }
  return bytesResponse(
    200,
    { type: document.type ?? "application/json", bytes: document.bytes },
    headers,
  );
}

async function indexResponse(files: OpenApiFiles): Promise<ApiResponse> {
  const paths: JsonObject = {};
  for (const [path, hash] of await files.v3Index()) {
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
  }
  return bytesResponse(200, { type: "application/json", bytes: utf8(JSON.stringify({ paths })) });
}
