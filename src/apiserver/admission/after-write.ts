import type { Attempt } from "#apiserver/admission/admission.ts";

/** Called once when a write that was admitted has ended: whether it was stored. Must not throw. */
export type AfterWrite = (stored: boolean) => void;

/** For steps that took something for a write and give it back when nothing came of it. */
export function afterWrite(attempt: Attempt, listener: AfterWrite): void {
  listeners.set(attempt, [...(listeners.get(attempt) ?? []), listener]);
}

/** Runs the write that `attempt` stands for and tells who waits for its end. */
export async function writeAdmitted<T>(
  attempt: Attempt,
  write: () => Promise<T>,
  isStored: (outcome: T) => boolean,
): Promise<T> {
  let stored = false;
  try {
    const outcome = await write();
    stored = isStored(outcome);
    return outcome;
  } finally {
    for (const listener of listeners.get(attempt) ?? []) listener(stored);
    listeners.delete(attempt);
  }
}

const listeners = new WeakMap<Attempt, readonly AfterWrite[]>();
