import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { watchEnds } from "#agent/containerd/missed-ends.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";

test("an end that no event told of is told, once, and a list that fails is asked for again", async () => {
  const clock = createManualClock();
  const told: string[] = [];
  const lists: (readonly string[] | Error)[] = [["a"], new Error("gone"), ["a", "b"], ["b"]];
  const stop = new AbortController();
  const ended = () => {
    const next = lists.shift() ?? [];
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  const tell = (id: string): void => void told.push(id);
  const watching = watchEnds({ clock, ended, tell }, stop.signal);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const seen: string[] = [];
  for (const passMs of [999, 1, 10_000, 10_000, 10_000]) {
    clock.advance(passMs);
    await turn();
    seen.push(told.join());
  }
  deepEqual(seen, ["", "a", "a", "a,b", "a,b"]);
  stop.abort();
  await watching;
});
