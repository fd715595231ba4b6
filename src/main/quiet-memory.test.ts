import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { QuietWatch } from "#main/quiet-memory.ts";

const mb = 1024 * 1024;

test("memory is given back once a server has grown quiet, and again only when there is more of it", () => {
  const watch = new QuietWatch(800);
  let cpuMs = 800;
  const looks: readonly (readonly [cpuMs: number, heapMb: number, leftMb?: number])[] = [
    [20, 90, 40],
    [20, 50],
    [200, 90],
    [3_000, 200],
    [3_000, 300],
    [10, 300, 250],
    [10, 255],
    [10, 500],
    [6_000, 300],
    [249, 263, 40],
    [10, 41],
  ];
  const due = looks.map(([spentMs, heapMb, leftMb]) => {
    cpuMs += spentMs;
    const isDue = watch.isDue({ cpuMs, heapBytes: heapMb * mb });
    if (leftMb !== undefined) watch.collected({ cpuMs, heapBytes: leftMb * mb });
    return isDue;
  });
  const expected = looks.map(([, , leftMb]) => leftMb !== undefined);
  deepEqual(due, expected);
});
