import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { headerDictionary, headerDictionaryId } from "#agent/streams/spdy/dictionary.ts";
import { SpdyError } from "#agent/streams/spdy/frames.ts";

/** Lower-case names; several values of one name stand as several entries upstream and are joined by NUL on the wire. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/**
 * Compresses the header blocks of one direction of a session. All blocks form one zlib stream; each ends with a sync
 * flush, at a byte boundary, so each can be made on its own when the text before it is given as the dictionary. That
 * keeps the codec synchronous and without native state between frames.
 */
export function createHeaderCompressor(): (headers: SpdyHeaders) => Buffer {
  const history = createHistory();
  let first = true;
  return (headers) => {
    const plain = encodeHeaders(headers);
    const compressed = deflateRawSync(plain, {
      dictionary: history.text(),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    history.add(plain);
    if (!first) return compressed;
    first = false;
    return Buffer.concat([zlibHeader(), compressed]);
  };
}

/** The reverse; throws a `SpdyError` when a block is malformed or larger than `blockBytesMax`. */
export function createHeaderDecompressor(): (block: Buffer) => SpdyHeaders {
  const history = createHistory();
  let first = true;
  return (block) => {
    const body = first ? withoutZlibHeader(block) : block;
    first = false;
    const plain = inflate(body, history.text());
    history.add(plain);
    return decodeHeaders(plain);
  };
}

/** The most a header block may hold once decompressed. */
const blockBytesMax = 64 * 1024;
const headersMax = 128;
/** How far back deflate looks. */
const historyBytes = 32 * 1024;
const zlibHeaderBytes = 6;
const presetDictionaryFlag = 0x20;

function createHistory(): { text(): Buffer; add(plain: Buffer): void } {
  let text = headerDictionary;
  return {
    text: () => text,
    add: (plain) => {
      text = Buffer.concat([text, plain]).subarray(-historyBytes);
    },
  };
}

/** RFC 1950: deflate with a 32 KB window and a preset dictionary, named by its checksum. */
function zlibHeader(): Buffer {
  const header = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
  header.writeUInt32BE(headerDictionaryId, 2);
  return header;
}

function withoutZlibHeader(block: Buffer): Buffer {
  const isValid =
    block.length >= zlibHeaderBytes &&
    (block.readUInt8(0) & 0x0f) === 8 &&
    block.readUInt16BE(0) % 31 === 0 &&
    (block.readUInt8(1) & presetDictionaryFlag) !== 0 &&
    block.readUInt32BE(2) === headerDictionaryId;
  if (!isValid)
    throw new SpdyError("Cannot read headers: not a zlib stream over SPDY's dictionary");
  return block.subarray(zlibHeaderBytes);
}

function inflate(body: Buffer, dictionary: Buffer): Buffer {
  try {
    return inflateRawSync(body, {
      dictionary,
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: blockBytesMax,
    });
  } catch (error) {
    throw new SpdyError("Cannot decompress headers", { cause: error });
  }
}

function encodeHeaders(headers: SpdyHeaders): Buffer {
  const parts = [uint32(headers.size)];
  for (const [name, value] of headers) parts.push(...withLength(name), ...withLength(value));
  return Buffer.concat(parts);
}

function withLength(text: string): [Buffer, Buffer] {
  const bytes = Buffer.from(text, "utf8");
  return [uint32(bytes.length), bytes];
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function decodeHeaders(plain: Buffer): SpdyHeaders {
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > plain.length)
      throw new SpdyError("Cannot read headers: the block is cut short");
    offset += 4;
    return plain.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > plain.length - offset) {
      throw new SpdyError("Cannot read headers: the block is cut short");
    }
    offset += length;
    return plain.toString("utf8", offset - length, offset);
  };
  const count = number();
  if (count > headersMax) throw new SpdyError(`Cannot read headers: ${count} is too many`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index++) headers.set(text().toLowerCase(), text());
  return headers;
}
