import type { Kind } from "#api/kind.ts";
import { encodeProtobufItem, encodeProtobufList } from "#api/protobuf/codec.ts";
import type { ObjectList } from "#apiserver/answer.ts";
import { notAcceptable } from "#apiserver/content/accept.ts";
import { inTurns } from "#apiserver/content/in-turns.ts";
import { listHead } from "#apiserver/content/list-bytes.ts";

/** A list in protobuf, each object decoded only while it is encoded. */
export async function listProtobuf(kind: Kind, list: ObjectList): Promise<Uint8Array> {
  const items = await inTurns(list.items, (item) => {
    const encoded = encodeProtobufItem(item.object);
    if (encoded === undefined) throw notAcceptable();
    return encoded;
  });
  return encodeProtobufList(listHead(kind, list), items);
}
