import type { JsonObject, Kind } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import type { ObjectList } from "#apiserver/answer.ts";
import type { BytesResponse, Headers } from "#apiserver/request.ts";
import { utf8 } from "#apiserver/content/bytes.ts";

/** A list as JSON, put together from the objects' bytes; nothing is parsed. */
export function listBytes(kind: Kind, list: ObjectList, headers: Headers): BytesResponse {
  const head = utf8(`${JSON.stringify(listHead(kind, list)).slice(0, -1)},"items":[`);
  const itemsBytes = list.items.reduce((sum, item) => sum + item.bytes.length, 0);
  const commas = Math.max(0, list.items.length - 1);
  return {
    kind: "bytes",
    status: 200,
    headers: [["content-type", "application/json"], ...headers],
    lengthBytes: head.length + itemsBytes + commas + tail.length,
    chunks: pieces(head, list),
  };
}

export function listObject(kind: Kind, list: ObjectList): JsonObject {
  return { ...listHead(kind, list), items: list.items.map((item) => item.object) };
}

export function listMetadata(list: ObjectList): JsonObject {
  return {
    resourceVersion: list.resourceVersion,
    ...(list.continue !== undefined && { continue: list.continue }),
    ...(list.remainingItemCount !== undefined && { remainingItemCount: list.remainingItemCount }),
  };
}

/** A list without its items. */
export function listHead(kind: Kind, list: ObjectList): JsonObject {
  return {
    kind: kind.listKind ?? `${kind.kind}List`,
    apiVersion: apiVersionOf(kind),
    metadata: listMetadata(list),
  };
}

function* pieces(head: Uint8Array, list: ObjectList): Generator<Uint8Array> {
  yield head;
  for (const [index, item] of list.items.entries()) {
    if (index > 0) yield comma;
    yield item.bytes;
  }
  yield tail;
}

const comma = utf8(",");
const tail = utf8("]}");
