import { Buffer } from "node:buffer";
import { invariant } from "#base/invariant.ts";
import { decodeKey } from "#storage/node/key-bytes.ts";

/** Big-endian, so that byte order is the order of revisions. */
export function encodeRevision(revision: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt16BE(0, 0);
  bytes.writeUIntBE(revision, 2, 6);
  return bytes;
}

export function decodeRevision(bytes: Buffer): number {
  return bytes.readUIntBE(2, 6);
}

/** What one write left in the log: 1 byte kind, 6 bytes previous revision, 2 bytes key length, key, value. */
export interface LogRecord {
  readonly kind: "put" | "delete";
  readonly key: string;
  /** The revision the key had before; 0 when it did not exist. */
  readonly previousRevision: number;
  /** Empty for a delete. */
  readonly value: Uint8Array;
}

export function encodeRecord(record: LogRecord, key: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + key.length + record.value.length);
  bytes[0] = record.kind === "put" ? 1 : 2;
  bytes.writeUIntBE(record.previousRevision, 1, 6);
  bytes.writeUInt16BE(key.length, 7);
  key.copy(bytes, headBytes);
  bytes.set(record.value, headBytes + key.length);
  return bytes;
}

export function decodeRecord(bytes: Buffer): LogRecord {
  const valueStart = headBytes + bytes.readUInt16BE(7);
  return {
    kind: bytes[0] === 1 ? "put" : "delete",
    key: decodeKey(bytes.subarray(headBytes, valueStart)),
    previousRevision: bytes.readUIntBE(1, 6),
    value: bytes.subarray(valueStart),
  };
}

/** The value of a record alone, as a view of `bytes`, whose memory may be longer than its `length`. */
export function decodeValue(bytes: Buffer): Uint8Array {
  return bytes.subarray(headBytes + bytes.readUInt16BE(7), bytes.length);
}

/** How far the store has come. */
export interface Progress {
  readonly revision: number;
  /** The oldest revision that can be read at. */
  readonly compacted: number;
  /** Up to where superseded records are removed from the disk; runs after `compacted`. */
  readonly cleaned: number;
}

export function encodeProgress({ revision, compacted, cleaned }: Progress): Buffer {
  return Buffer.concat([revision, compacted, cleaned].map(encodeRevision));
}

export function decodeProgress(bytes: Buffer | undefined): Progress {
  if (bytes === undefined) return { revision: 0, compacted: 0, cleaned: 0 };
  invariant(bytes.length === 24, "progress is three revisions");
  return {
    revision: decodeRevision(bytes),
    compacted: decodeRevision(bytes.subarray(8)),
    cleaned: decodeRevision(bytes.subarray(16)),
  };
}

const headBytes = 9;
