import { encodeProtobuf, encodeProtobufFrame } from "#api/protobuf/codec.ts";
import { internalError } from "#api/status.ts";
import type { JsonObject } from "#api/kind.ts";
import type { FrameEncoder } from "#apiserver/content/frame-reader.ts";
import type { ObjectEvent } from "#apiserver/request.ts";
import type { WatchItem } from "#apiserver/verbs/watch-items.ts";

/** Upstream's name for a stream of length-delimited events. */
export const watchProtobufType = "application/vnd.kubernetes.protobuf;stream=watch";

/** Events as length-delimited protobuf messages; `shape` names the form that `eventOf` gives the objects. */
export function protobufFrames(
  eventOf: (item: WatchItem) => ObjectEvent,
  shape: string,
): FrameEncoder {
  return { name: `protobuf ${shape}`, pieces: (item) => [frameOf(eventOf(item))] };
}

/** An object that cannot be encoded ends nobody's write: its watchers learn that, as upstream's do. */
function frameOf(event: ObjectEvent): Uint8Array {
  try {
    return encodeProtobufFrame(event.type, encodeProtobuf(event.object as JsonObject));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const { status } = internalError(`unable to encode watch object: ${why}`);
    return encodeProtobufFrame("ERROR", encodeProtobuf({ ...status } as unknown as JsonObject));
  }
}
