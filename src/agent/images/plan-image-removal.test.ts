import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { bytesToFree, planImageRemoval } from "#agent/images/plan-image-removal.ts";

const imageOf = (id: string, digests: readonly string[] = [`r@${id}`]) => ({
  id,
  tags: [id],
  digests,
  sizeBytes: 10,
  user: "",
});

test("planImageRemoval() takes what was used least lately, and nothing that cannot be had again", () => {
  const records = [
    { image: imageOf("young"), firstSeenMs: 950, lastUsedMs: 0 },
    { image: imageOf("recent"), firstSeenMs: 0, lastUsedMs: 800 },
    { image: imageOf("never"), firstSeenMs: 5, lastUsedMs: 0 },
    { image: imageOf("built", []), firstSeenMs: 0, lastUsedMs: 0 },
    { image: imageOf("used"), firstSeenMs: 0, lastUsedMs: 1000 },
    { image: imageOf("old"), firstSeenMs: 0, lastUsedMs: 300 },
    { image: imageOf("kept"), firstSeenMs: 0, lastUsedMs: 0 },
  ];
  const plan = (neededBytes: number): unknown =>
    planImageRemoval(records, {
      nowMs: 1000,
      neededBytes,
      ageMinMs: 100,
      isKept: ({ id }) => id === "kept",
    }).map(({ id }) => id);
  deepEqual(plan(15), ["never", "old"]);
  deepEqual(plan(Infinity), ["never", "old", "recent"]);
});

test("bytesToFree() frees down to the lower mark once the upper one is reached", () => {
  const limits = { highPercent: 85, lowPercent: 80 };
  const free = (availableBytes: number) =>
    bytesToFree({ capacityBytes: 1000, availableBytes }, limits);
  deepEqual([free(200), free(160), free(150), free(0)], [0, 0, 50, 200]);
});
