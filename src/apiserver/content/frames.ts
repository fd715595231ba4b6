import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { WatchEventType } from "#apiserver/request.ts";
import { concat, utf8 } from "#apiserver/content/bytes.ts";

/** A watch event as a line of JSON. The latest are kept, because all watchers of an object need the same bytes. */
export class FrameCache {
  readonly #frames = new Map<StoredObject, Map<WatchEventType, Uint8Array>>();

  frame(type: WatchEventType, object: StoredObject): Uint8Array {
    let known = this.#frames.get(object);
    if (known === undefined) {
      known = new Map();
      this.#frames.set(object, known);
      if (this.#frames.size > keptMax) this.#forgetOldest();
    }
    let frame = known.get(type);
    if (frame === undefined) {
      frame = concat([utf8(`{"type":"${type}","object":`), object.bytes, frameEnd]);
      known.set(type, frame);
    }
    return frame;
  }

  #forgetOldest(): void {
    for (const oldest of this.#frames.keys()) {
      this.#frames.delete(oldest);
      return;
    }
  }
}

const keptMax = 64;
const frameEnd = utf8("}\n");
