import type { Buffer } from "node:buffer";
import { open } from "lmdb";
import type { Database, RootDatabase, Transaction } from "lmdb";
import { invariant } from "#base/invariant.ts";
import type { ByteBlocks } from "#storage/node/byte-blocks.ts";
import { decodeKey, encodeKey } from "#storage/node/key-bytes.ts";
import {
  decodeProgress,
  decodeRecord,
  decodeRevision,
  decodeValue,
  encodeRevision,
} from "#storage/node/lmdb-records.ts";
import type { LogRecord, Progress } from "#storage/node/lmdb-records.ts";
import type { Entry, Range, StoreEvent } from "#storage/store.ts";

/**
 * The three tables: `log` has every write by revision, with its bytes; `keys` has the present revision of each key;
 * `meta` has the progress. Values lie once on the disk, and new ones at the log's end.
 */
export interface Tables {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly log: Log;
  readonly keys: Database<number, string>;
  readonly meta: Database<Buffer, Buffer>;
}

interface Log extends Database<Buffer, Buffer> {
  /** Lends bytes that the next read of any table overwrites; only the first `length` of them are the record's. */
  getBinaryFast(
    revision: Buffer,
    options?: { readonly transaction: Transaction },
  ): Buffer | undefined;
}

/** For many entries of one picture. */
export interface Reading {
  readonly snapshot: Transaction;
  /** Take the values that are returned. */
  readonly blocks: ByteBlocks;
}

export type Snapshot = Transaction | undefined;

export function openTables(directory: string): Tables {
  const form = { keyEncoding: "binary", encoding: "binary", cache: false } as const;
  const root = open<Buffer, Buffer>({
    ...form,
    path: directory,
    noSubdir: false,
    maxDbs: 4,
    maxReaders: 16,
    // A commit counts only once it is on the disk: `put` promises that.
    overlappingSync: false,
    // The writer batches itself; lmdb's own batch would leave a promise nobody holds to reject on a full disk.
    eventTurnBatching: false,
  });
  return {
    root,
    log: root.openDB<Buffer, Buffer>("log", form),
    keys: root.openDB<number, string>("keys", keysForm),
    meta: root.openDB<Buffer, Buffer>("meta", form),
  };
}

/** Both read from the bytes that lmdb lends: a range of keys takes no memory but for the keys' texts. */
const keysForm = {
  cache: false,
  keyEncoder: {
    writeKey(key: string, target: Buffer, start: number): number {
      const bytes = encodeKey(key);
      target.set(bytes, start);
      return start + bytes.length;
    },
    readKey: decodeKey,
  },
  encoder: { encode: encodeRevision, decode: decodeRevision },
};

export const progressKey = encodeKey("progress");

export function readProgress({ meta }: Tables, snapshot?: Snapshot): Progress {
  return decodeProgress(meta.get(progressKey, { transaction: snapshot as Transaction }));
}

export function readEntry(tables: Tables, key: string): Entry | undefined {
  const revision = tables.keys.get(key);
  return revision === undefined ? undefined : entryAt(tables, key, revision);
}

export function entryAt({ log }: Tables, key: string, revision: number, reading?: Reading): Entry {
  const at = encodeRevision(revision);
  const record =
    reading === undefined ? log.get(at) : log.getBinaryFast(at, { transaction: reading.snapshot });
  invariant(record !== undefined, "the log has every value that can be read");
  const value = decodeValue(record);
  return { key, value: reading === undefined ? value : reading.blocks.keep(value), revision };
}

export function readRecord({ log }: Tables, revision: number, snapshot?: Snapshot): LogRecord {
  const record = log.get(encodeRevision(revision), { transaction: snapshot as Transaction });
  invariant(record !== undefined, "the log has every write since the compacted revision");
  return decodeRecord(record);
}

/** Keys of the range with their present revision, in key order. */
export function* presentRevisions(
  { keys }: Tables,
  range: Range,
  snapshot: Transaction,
): Generator<readonly [string, number]> {
  const end = range.end === "" ? {} : { end: range.end };
  const bounds = { start: range.start || lowestKey, ...end };
  for (const { key, value } of keys.getRange({ ...bounds, transaction: snapshot })) {
    yield [key, value];
  }
}

/** No key has a NUL. */
const lowestKey = "\u0001";

/** The writes in `(fromRevision, toRevision]`, which must not be compacted. */
export function readEvents(
  tables: Tables,
  fromRevision: number,
  toRevision: number,
): readonly StoreEvent[] {
  const events: StoreEvent[] = [];
  for (let revision = fromRevision + 1; revision <= toRevision; revision++) {
    events.push(readEvent(tables, revision));
  }
  return events;
}

function readEvent(tables: Tables, revision: number): StoreEvent {
  const { kind, key, previousRevision, value } = readRecord(tables, revision);
  const previous = previousRevision === 0 ? undefined : entryAt(tables, key, previousRevision);
  if (kind === "put") return { kind, key, value, previous, revision };
  invariant(previous !== undefined, "a delete has something to delete");
  return { kind, key, previous, revision };
}
