/** The frames of SPDY/3.1. Header blocks are still compressed here: they must be decompressed in order. */
export type Frame =
  | DataFrame
  | {
      readonly kind: "syn-stream";
      readonly streamId: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly headerBlock: Buffer;
    }
  | {
      readonly kind: "syn-reply" | "headers";
      readonly streamId: number;
      readonly fin: boolean;
      readonly headerBlock: Buffer;
    }
  | { readonly kind: "rst-stream"; readonly streamId: number; readonly status: number }
  | { readonly kind: "settings" }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "goaway"; readonly lastStreamId: number; readonly status: number }
  /** Stream 0 is the session as a whole. */
  | { readonly kind: "window-update"; readonly streamId: number; readonly delta: number };

/** A long data frame is decoded in pieces, as they arrive; `fin` is on the last. */
export interface DataFrame {
  readonly kind: "data";
  readonly streamId: number;
  readonly fin: boolean;
  readonly data: Buffer;
}

/** The peer broke the protocol: the session cannot go on. */
export class SpdyError extends Error {
  override readonly name = "SpdyError";
}

/** Status codes of RST_STREAM. */
export const resetStatus = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
} as const;

/** Status codes of GOAWAY. */
export const goawayStatus = { ok: 0, protocolError: 1 } as const;

const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

const finFlag = 1;
const unidirectionalFlag = 2;
const frameHeaderBytes = 8;
/** The most a control frame may weigh; its header block is bounded again after decompression. */
const controlFrameBytesMax = 64 * 1024;
const streamIdMask = 0x7fff_ffff;

/** Returns a function that takes bytes as they come and returns the frames they complete; throws `SpdyError`. */
export function createFrameDecoder(): (chunk: Buffer) => readonly Frame[] {
  let pending: Buffer = Buffer.alloc(0);
  let open: { streamId: number; fin: boolean; remaining: number } | undefined;

  const next = (): Frame | undefined => {
    if (open !== undefined) return nextData(open);
    if (pending.length < frameHeaderBytes) return undefined;
    if (pending.readUInt8(0) < 0x80) return startData();
    const length = pending.readUIntBE(5, 3);
    if (length > controlFrameBytesMax) {
      throw new SpdyError(`Cannot read a control frame of ${length} bytes`);
    }
    if (pending.length < frameHeaderBytes + length) return undefined;
    const frame = pending.subarray(0, frameHeaderBytes + length);
    pending = pending.subarray(frameHeaderBytes + length);
    return decodeControl(frame);
  };

  const startData = (): Frame | undefined => {
    const streamId = pending.readUInt32BE(0);
    if (streamId === 0) throw new SpdyError("Cannot read data of stream 0");
    const fin = (pending.readUInt8(4) & finFlag) !== 0;
    open = { streamId, fin, remaining: pending.readUIntBE(5, 3) };
    pending = pending.subarray(frameHeaderBytes);
    return nextData(open);
  };

  const nextData = (frame: NonNullable<typeof open>): Frame | undefined => {
    if (frame.remaining > 0 && pending.length === 0) return undefined;
    const data = pending.subarray(0, frame.remaining);
    pending = pending.subarray(data.length);
    frame.remaining -= data.length;
    const isLast = frame.remaining === 0;
    if (isLast) open = undefined;
    return { kind: "data", streamId: frame.streamId, fin: isLast && frame.fin, data };
  };

  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const frames: Frame[] = [];
    for (let frame = next(); frame !== undefined; frame = next()) frames.push(frame);
    return frames;
  };
}

export function encodeDataHeader(streamId: number, fin: boolean, length: number): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32BE(streamId);
  header.writeUInt8(fin ? finFlag : 0, 4);
  header.writeUIntBE(length, 5, 3);
  return header;
}

export function encodeControl(frame: Exclude<Frame, DataFrame>): Buffer {
  switch (frame.kind) {
    case "syn-stream": {
      const flags = (frame.fin ? finFlag : 0) | (frame.unidirectional ? unidirectionalFlag : 0);
      const fixed = words(frame.streamId, 0);
      return control(frameType.synStream, flags, [fixed, Buffer.alloc(2), frame.headerBlock]);
    }
    case "syn-reply":
    case "headers": {
      const type = frame.kind === "headers" ? frameType.headers : frameType.synReply;
      return control(type, frame.fin ? finFlag : 0, [words(frame.streamId), frame.headerBlock]);
    }
    case "rst-stream":
      return control(frameType.rstStream, 0, [words(frame.streamId, frame.status)]);
    case "settings":
      return control(frameType.settings, 0, [words(0)]);
    case "ping":
      return control(frameType.ping, 0, [words(frame.id)]);
    case "goaway":
      return control(frameType.goaway, 0, [words(frame.lastStreamId, frame.status)]);
    case "window-update":
      return control(frameType.windowUpdate, 0, [words(frame.streamId, frame.delta)]);
  }
}

function control(type: number, flags: number, body: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt16BE(0x8003);
  header.writeUInt16BE(type, 2);
  header.writeUInt8(flags, 4);
  const length = body.reduce((sum, part) => sum + part.length, 0);
  header.writeUIntBE(length, 5, 3);
  return Buffer.concat([header, ...body]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, 4 * index));
  return bytes;
}

function decodeControl(frame: Buffer): Frame {
  const version = frame.readUInt16BE(0) & 0x7fff;
  if (version !== 3) throw new SpdyError(`Cannot speak version ${version} of SPDY`);
  const type = frame.readUInt16BE(2);
  const flags = frame.readUInt8(4);
  const body = frame.subarray(frameHeaderBytes);
  const word = (index: number): number => {
    if (body.length < 4 * index + 4)
      throw new SpdyError(`Cannot read a short frame of type ${type}`);
    return body.readUInt32BE(4 * index);
  };
  const fin = (flags & finFlag) !== 0;
  switch (type) {
    case frameType.synStream:
      word(1);
      return {
        kind: "syn-stream",
        streamId: word(0) & streamIdMask,
        fin,
        unidirectional: (flags & unidirectionalFlag) !== 0,
        headerBlock: body.subarray(10),
      };
    case frameType.synReply:
    case frameType.headers:
      return {
        kind: type === frameType.headers ? "headers" : "syn-reply",
        streamId: word(0) & streamIdMask,
        fin,
        headerBlock: body.subarray(4),
      };
    case frameType.rstStream:
      return { kind: "rst-stream", streamId: word(0) & streamIdMask, status: word(1) };
    case frameType.settings:
      return { kind: "settings" };
    case frameType.ping:
      return { kind: "ping", id: word(0) };
    case frameType.goaway:
      return { kind: "goaway", lastStreamId: word(0) & streamIdMask, status: word(1) };
    case frameType.windowUpdate:
      return {
        kind: "window-update",
        streamId: word(0) & streamIdMask,
        delta: word(1) & streamIdMask,
      };
    default:
      throw new SpdyError(`Cannot read a frame of the unknown type ${type}`);
  }
}
