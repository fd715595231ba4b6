import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { createRangePool } from "#controllers/node-ipam/range-pool.ts";

test("createRangePool() hands out every range once, and again when it was given back", () => {
  const pool = createRangePool("10.244.0.0/22");
  pool.occupy("10.244.1.0/24");
  pool.occupy("192.0.2.0/24");
  deepEqual(
    [pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate()],
    ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24", undefined],
  );
  pool.release("10.244.2.0/24");
  pool.release("10.244.0.0/24");
  equal(pool.allocate(), "10.244.0.0/24");
  equal(pool.allocate(), "10.244.2.0/24");
});

test("createRangePool() goes on after the range it handed out last, and leaves out what overlaps", () => {
  const pool = createRangePool("10.0.0.0/8");
  pool.occupy("10.0.1.128/25");
  pool.occupy("10.0.4.0/22");
  equal(pool.allocate(), "10.0.0.0/24");
  pool.release("10.0.0.0/24");
  deepEqual(
    [pool.allocate(), pool.allocate(), pool.allocate()],
    ["10.0.2.0/24", "10.0.3.0/24", "10.0.8.0/24"],
  );
});

test("createRangePool() has one range where the cluster's is no larger than a node's", () => {
  const pool = createRangePool("10.1.2.128/26");
  deepEqual([pool.allocate(), pool.allocate()], ["10.1.2.128/26", undefined]);
});
