import type { Clock } from "#base/clock.ts";
import { recordPositions, type RecordPosition } from "#network/dns/raw-message.ts";

/** Answers of upstreams, each for as long as its records allow and at most half a minute. */
export interface AnswerCache {
  /** The answer with its times to live lowered by its age. */
  get(key: string): Buffer | undefined;
  put(key: string, answer: Buffer): void;
}

const answersMax = 2000;
const keptSecondsMax = 30;
const negativeSecondsMax = 5;

export function createAnswerCache(clock: Clock): AnswerCache {
  const entries = new Map<string, Entry>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      const ageMs = clock.now() - entry.sinceMs;
      if (ageMs < entry.keptMs) return aged(entry, Math.floor(ageMs / 1000));
      entries.delete(key);
      return undefined;
    },
    put(key, answer) {
      const records = recordPositions(answer);
      const keptMs = keptSeconds(answer, records) * 1000;
      if (keptMs === 0) return;
      entries.delete(key);
      entries.set(key, { answer, records, keptMs, sinceMs: clock.now() });
      const [oldest] = entries.keys();
      if (entries.size > answersMax && oldest !== undefined) entries.delete(oldest);
    },
  };
}

interface Entry {
  readonly answer: Buffer;
  readonly records: readonly RecordPosition[];
  readonly keptMs: number;
  readonly sinceMs: number;
}

const noName = 3;

function keptSeconds(answer: Buffer, records: readonly RecordPosition[]): number {
  const flags = answer.readUInt16BE(2);
  const rcode = flags & 15;
  const truncated = (flags & 0x0200) !== 0;
  if (truncated || (rcode !== 0 && rcode !== noName)) return 0;
  const negative = rcode === noName || answer.readUInt16BE(6) === 0;
  const soa = records.find((record) => record.isSoa);
  if (negative) return soa ? Math.min(soa.minimumSeconds, soa.ttlSeconds, negativeSecondsMax) : 0;
  return Math.min(keptSecondsMax, ...records.map((record) => record.ttlSeconds));
}

function aged({ answer, records }: Entry, ageSeconds: number): Buffer {
  const copy = Buffer.from(answer);
  for (const { ttlAt, ttlSeconds } of records) {
    copy.writeUInt32BE(Math.max(0, ttlSeconds - ageSeconds), ttlAt);
  }
  return copy;
}
