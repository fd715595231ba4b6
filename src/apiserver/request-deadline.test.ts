import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { test } from "node:test";
import type { StatusError } from "#api/status.ts";
import { RequestDeadlines, timeoutOf } from "#apiserver/request-deadline.ts";
import { createTestServer } from "#test/api-server.ts";

test("a request asks for a time of at most a minute; what is no time is refused", async () => {
  const given = ["timeout=5s", "timeout=3m", "timeout=0s", "timeout=-1s", "", "timeout=1m0.5s"];
  deepEqual(
    given.map((query) => timeoutOf(new URLSearchParams(query))),
    [5_000, 60_000, 60_000, 60_000, 60_000, 60_000],
  );
  throws(() => timeoutOf(new URLSearchParams("timeout=never")), /invalid timeout specified in the/);
  await using api = await createTestServer();
  const { status, body } = await api.send("GET", "/version?timeout=never");
  deepEqual(
    [status, body.message],
    [400, 'invalid timeout specified in the request URL - time: invalid duration "never"'],
  );
  equal((await api.send("GET", "/version?timeout=3m")).status, 200);
});

test("who is not answered in time is told so; the others still get their answers", async () => {
  const timers = new Map<number, () => void>();
  let nowMs = 0;
  const clock = {
    now: () => nowMs,
    after(delayMs: number, act: () => void) {
      const atMs = nowMs + delayMs;
      timers.set(atMs, act);
      return () => void timers.delete(atMs);
    },
  };
  const passTo = (atMs: number): void => {
    for (const [dueMs, act] of [...timers].toSorted(([one], [other]) => one - other)) {
      if (dueMs > atMs) break;
      nowMs = dueMs;
      timers.delete(dueMs);
      act();
    }
    nowMs = atMs;
  };
  const deadlines = new RequestDeadlines(clock);
  const never = new Promise<string>(() => {});
  const late = Promise.withResolvers<string>();
  const first = deadlines.within(10_000, never);
  const second = deadlines.within(1_000, late.promise);
  const third = deadlines.within(60_000, late.promise);
  const failing = deadlines.within(60_000, Promise.reject(new Error("no")));
  await rejects(failing, /^Error: no$/);
  passTo(1_000);
  await rejects(second, (error: StatusError) => error.status.code === 504);
  passTo(10_000);
  await rejects(first, /request did not complete within the allotted timeout/);
  late.resolve("done");
  equal(await third, "done");
  passTo(60_000);
  equal(timers.size, 0);
});
