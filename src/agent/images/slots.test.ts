import { deepEqual, rejects } from "node:assert/strict";
import { test } from "node:test";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { Slots, timeLimit } from "#agent/images/slots.ts";

test("Slots let in so many at once, the others in their order, and none that has left", async () => {
  const slots = new Slots({ max: 2, waitingMax: 3 });
  const { signal } = new AbortController();
  const leaving = new AbortController();
  const entered: string[] = [];
  const enter = async (name: string, until = signal): Promise<() => void> => {
    const giveBack = await slots.take(until);
    entered.push(name);
    return giveBack;
  };
  const [a, b] = [await enter("a"), await enter("b")];
  const [c, left, d] = [enter("c"), enter("left", leaving.signal), enter("d")];
  await rejects(enter("e"), /3 others wait already/);
  leaving.abort(new Error("had enough"));
  await rejects(left, /had enough/);
  a();
  a();
  await c;
  deepEqual(entered, ["a", "b", "c"]);
  b();
  (await c)();
  (await d)();
  await Promise.all([enter("f"), enter("g")]);
  deepEqual(entered, ["a", "b", "c", "d", "f", "g"]);
});

test("timeLimit() ends what takes too long, and forgets what has ended", async () => {
  const clock = createManualClock();
  const late = timeLimit(clock, { afterMs: 10, message: "it took 10 ms" });
  const done = timeLimit(clock, { afterMs: 10, message: "it took 10 ms" });
  done[Symbol.dispose]();
  clock.advance(10);
  await Promise.resolve();
  await Promise.resolve();
  deepEqual([late.signal.aborted, done.signal.aborted], [true, false]);
});
