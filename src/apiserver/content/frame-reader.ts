import type { FrameSink } from "#apiserver/request.ts";
import { concat } from "#apiserver/content/bytes.ts";
import type { EventSeries } from "#apiserver/watch-metrics.ts";
import type { WatchItem } from "#apiserver/verbs/watch-items.ts";
import type { WatchReader } from "#apiserver/verbs/watch-stream.ts";

/** Puts events into one form of frames. */
export interface FrameEncoder {
  /** Watchers whose encoders have the same name get the same bytes; undefined: these frames are this watcher's own. */
  readonly name: string | undefined;
  /** The frame in the pieces it is made of. */
  pieces(item: WatchItem): readonly Uint8Array[];
}

/** Encodes the events of one watch into the sink of its connection. An event by itself is encoded once for all. */
export class FrameReader implements WatchReader {
  readonly #encoder: FrameEncoder;
  readonly #sink: FrameSink;
  readonly #series: EventSeries;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;

  constructor(encoder: FrameEncoder, sink: FrameSink, series: EventSeries) {
    this.#encoder = encoder;
    this.#sink = sink;
    this.#series = series;
  }

  deliver(item: WatchItem): boolean {
    const frame = this.#frame(item);
    this.#series.sent(frame.length);
    return this.#sink.write(frame);
  }

  gather(item: WatchItem): boolean {
    let bytes = 0;
    for (const piece of this.#encoder.pieces(item)) {
      this.#gathered.push(piece);
      bytes += piece.length;
    }
    this.#gatheredBytes += bytes;
    this.#series.sent(bytes);
    return this.#gatheredBytes < blockBytes || this.flush();
  }

  flush(): boolean {
    if (this.#gathered.length === 0) return true;
    const block = concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    return this.#sink.write(block);
  }

  end(): void {
    this.flush();
    this.#sink.end();
  }

  #frame(item: WatchItem): Uint8Array {
    const { name } = this.#encoder;
    if (name === undefined || item.type === "BOOKMARK" || item.type === "ERROR")
      return concat(this.#encoder.pieces(item));
    item.frames ??= new Map();
    let frame = item.frames.get(name);
    if (frame === undefined) {
      frame = concat(this.#encoder.pieces(item));
      item.frames.set(name, frame);
    }
    return frame;
  }
}

/** What goes to the connection at once where many events come in a row. */
const blockBytes = 64 * 1024;
