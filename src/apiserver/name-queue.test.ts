import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { createNameQueue } from "#apiserver/name-queue.ts";

/** Lets everything run that only waits for promises. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("createNameQueue() works on one name at a time, again when it is added meanwhile, and past errors", async () => {
  const told: string[] = [];
  const stop = new AbortController();
  let go: (() => void) | undefined;
  const queue = createNameQueue({
    async work(name) {
      told.push(`begin ${name}`);
      await new Promise<void>((resolve) => (go = resolve));
      if (name === "b") throw new Error("b is broken");
      told.push(`end ${name}`);
    },
    onError: (name, error) => told.push(`${name}: ${(error as Error).message}`),
    stopped: stop.signal,
  });
  const step = async (): Promise<readonly string[]> => {
    await settled();
    go?.();
    return told.splice(0);
  };
  queue.add(["a", "b", "a"]);
  deepEqual(told, [], "nothing begins within add()");
  deepEqual(await step(), ["begin a"]);
  queue.add(["a"]);
  deepEqual(await step(), ["end a", "begin b"]);
  deepEqual(await step(), ["b: b is broken", "begin a"]);
  deepEqual(await step(), ["end a"]);
  queue.add(["c", "d"]);
  deepEqual(await step(), ["begin c"]);
  stop.abort();
  deepEqual(await step(), ["end c"], "d is not begun");
});

test("createNameQueue() forgets what waits when it is disposed of", async () => {
  const done: string[] = [];
  const queue = createNameQueue({
    work: async (name) => void done.push(name),
    onError: (_, error) => done.push(String(error)),
    stopped: new AbortController().signal,
  });
  queue.add(["a"]);
  queue[Symbol.dispose]();
  await settled();
  deepEqual(done, []);
});
