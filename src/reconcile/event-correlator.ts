import type { CoreV1Event } from "#api/generated/types.ts";
import { rfc3339, type Clock } from "#base/clock.ts";

/** An event before it has a name, times and a count. */
export type EventDraft = Pick<
  CoreV1Event,
  | "involvedObject"
  | "type"
  | "reason"
  | "message"
  | "source"
  | "reportingComponent"
  | "reportingInstance"
>;

export interface CorrelatedEvent {
  /** A count over 1 means that the event of this name is to be counted up. */
  readonly event: CoreV1Event;
  /** To be told what was stored, under its name. */
  readonly remember: (written: CoreV1Event) => void;
}

/**
 * Keeps events few, as client-go's correlator: equal ones become one with a count; from the tenth on within ten
 * minutes, those that differ only in their text become one; and an object gets at most 25 at once and one more every
 * five minutes. Undefined: this one is left out.
 */
export function createEventCorrelator(
  clock: Clock,
): (draft: EventDraft) => CorrelatedEvent | undefined {
  const similar = new Map<string, Similar>();
  const counted = new Map<string, Counted>();
  const budgets = new Map<string, Budget>();
  let sequence = 0;
  return (draft) => {
    const nowMs = clock.now();
    if (
      !spend(
        touch(budgets, objectKey(draft), () => ({ tokens: burst, atMs: nowMs })),
        nowMs,
      )
    ) {
      return undefined;
    }
    const combined = combine(draft, similar, nowMs);
    const entry = touch(counted, countKey(combined), () => ({
      name: "",
      count: 0,
      firstMs: nowMs,
    }));
    entry.count++;
    if (entry.name === "") entry.name = nameFor(combined, nowMs, sequence++);
    const { name } = entry;
    return {
      event: eventOf(combined, entry, nowMs),
      remember(written) {
        entry.name = written.metadata.name ?? name;
        entry.count = written.count ?? entry.count;
      },
    };
  };
}

interface Similar {
  readonly messages: Set<string>;
  lastMs: number;
}

interface Counted {
  name: string;
  count: number;
  readonly firstMs: number;
}

interface Budget {
  tokens: number;
  atMs: number;
}

/** Upstream's numbers. */
const rememberedMax = 4096;
const similarMax = 10;
const similarWithinMs = 600_000;
const burst = 25;
const refillMs = 300_000;

function spend(budget: Budget, nowMs: number): boolean {
  // A clock that was put back takes nothing away.
  const passedMs = Math.max(0, nowMs - budget.atMs);
  budget.tokens = Math.min(burst, budget.tokens + passedMs / refillMs);
  budget.atMs = nowMs;
  if (budget.tokens < 1) return false;
  budget.tokens--;
  return true;
}

function combine(draft: EventDraft, similar: Map<string, Similar>, nowMs: number): EventDraft {
  const key = similarKey(draft);
  const known = touch(similar, key, () => ({ messages: new Set(), lastMs: nowMs }));
  if (nowMs - known.lastMs > similarWithinMs) known.messages.clear();
  known.lastMs = nowMs;
  if (known.messages.size < similarMax) known.messages.add(draft.message ?? "");
  if (known.messages.size < similarMax) return draft;
  return { ...draft, message: `(combined from similar events): ${draft.message ?? ""}` };
}

function eventOf(draft: EventDraft, { name, count, firstMs }: Counted, nowMs: number): CoreV1Event {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: draft.involvedObject.namespace ?? "default" },
    ...draft,
    firstTimestamp: rfc3339(firstMs),
    lastTimestamp: rfc3339(nowMs),
    count,
  };
}

/** As upstream, the object's name and a time in hexadecimal; the sequence keeps those of one moment apart. */
function nameFor(draft: EventDraft, nowMs: number, sequence: number): string {
  const nanos = BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(sequence % 1_000_000);
  return `${draft.involvedObject.name ?? "unnamed"}.${nanos.toString(16)}`;
}

function objectKey({ source, involvedObject: about }: EventDraft): string {
  const place = [about.kind, about.namespace, about.name, about.uid, about.apiVersion];
  return [source?.component, source?.host, ...place].join("\n");
}

function similarKey(draft: EventDraft): string {
  return [objectKey(draft), draft.type, draft.reason, draft.involvedObject.fieldPath].join("\n");
}

/** Combined events differ in their text and are one all the same. */
function countKey(draft: EventDraft): string {
  const combined = draft.message?.startsWith("(combined from similar events)");
  return `${similarKey(draft)}\n${combined ? "(combined)" : (draft.message ?? "")}`;
}

/** The entry of a key, made where there is none; the longest unused one makes room. */
function touch<T>(entries: Map<string, T>, key: string, make: () => T): T {
  const entry = entries.get(key) ?? make();
  entries.delete(key);
  entries.set(key, entry);
  if (entries.size > rememberedMax) {
    for (const oldest of entries.keys()) {
      entries.delete(oldest);
      break;
    }
  }
  return entry;
}
