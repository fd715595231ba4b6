/**
 * Changes to a message in its own bytes: what an upstream answered is handed on unread, whatever record types it
 * holds. Malformed messages are an error.
 */

const headerBytes = 12;
const typeOpt = 41;
const typeSoa = 6;

/** Where the question ends. There must be exactly one. */
export function questionEnd(bytes: Buffer): number {
  if (bytes.length < headerBytes || bytes.readUInt16BE(4) !== 1) {
    throw new RangeError("a message with one question is expected");
  }
  return skipName(bytes, headerBytes) + 4;
}

export interface RecordPosition {
  /** Where the record's time to live stands. */
  readonly ttlAt: number;
  readonly ttlSeconds: number;
  readonly isSoa: boolean;
  /** For a SOA record: the time for which the absence it tells of may be remembered. */
  readonly minimumSeconds: number;
}

/** The records behind the question; without OPT, whose time to live is none. */
export function recordPositions(bytes: Buffer): readonly RecordPosition[] {
  const count = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10);
  const records: RecordPosition[] = [];
  let at = questionEnd(bytes);
  for (let index = 0; index < count; index += 1) {
    at = skipName(bytes, at);
    const type = bytes.readUInt16BE(at);
    const end = at + 10 + bytes.readUInt16BE(at + 8);
    if (type !== typeOpt) {
      records.push({
        ttlAt: at + 4,
        ttlSeconds: bytes.readUInt32BE(at + 4),
        isSoa: type === typeSoa,
        minimumSeconds: type === typeSoa ? bytes.readUInt32BE(end - 4) : 0,
      });
    }
    at = end;
  }
  return records;
}

/** The same message with another id and the question as another client spelt it. */
export function readdress(bytes: Buffer, asked: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  asked.copy(copy, 0, 0, 2);
  asked.copy(copy, headerBytes, headerBytes, questionEnd(asked));
  return copy;
}

/** Whether both ask the same, whatever the case of the letters. */
export function sameQuestion(one: Buffer, other: Buffer): boolean {
  const end = questionEnd(one);
  return (
    end === questionEnd(other) &&
    one.toString("latin1", headerBytes, end).toLowerCase() ===
      other.toString("latin1", headerBytes, end).toLowerCase()
  );
}

function skipName(bytes: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = bytes.readUInt8(at);
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2;
    at += 1 + length;
  }
}
