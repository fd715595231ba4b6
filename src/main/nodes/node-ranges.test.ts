import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { chooseRanges } from "#main/nodes/node-ranges.ts";

test("chooseRanges() keeps what nodes have and gives the others what nobody has", () => {
  const taken = new Map([
    ["joined", "10.244.1.0/24"],
    ["b", "10.244.7.0/24"],
    ["gone", "10.244.0.0/24"],
  ]);
  deepEqual(Object.fromEntries(chooseRanges(["a", "b", "c"], taken, "10.244.0.0/16")), {
    a: "10.244.2.0/24",
    b: "10.244.7.0/24",
    c: "10.244.3.0/24",
  });
});
