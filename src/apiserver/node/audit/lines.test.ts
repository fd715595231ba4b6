import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { Lines } from "#apiserver/node/audit/lines.ts";

test("lines come out as they went in, whole and in order, whatever their length and letters", () => {
  const random = seededRandom(7);
  const lines = new Lines();
  const put: string[] = [];
  const got: string[] = [];
  const takeAll = (): void => {
    const { waitingBytes } = lines;
    let seenBytes = 0;
    for (const { bytes, count } of lines.take()) {
      seenBytes += bytes.length;
      const taken = Buffer.from(bytes).toString().split("\n");
      equal(taken.pop(), "");
      equal(taken.length, count);
      got.push(...taken);
    }
    equal(seenBytes, waitingBytes);
  };
  for (let at = 0; at < 2_000; at += 1) {
    const letter = ["a", "é", "語", "𝄞"][Math.floor(random() * 4)] ?? "";
    const line = `${at} ${letter.repeat(Math.floor(random() ** 8 * 300_000))}`;
    lines.add(line);
    put.push(line);
    if (random() < 0.05) takeAll();
  }
  takeAll();
  deepEqual(got, put);
  deepEqual(lines.take(), []);
  equal(lines.isEmpty, true);
});
