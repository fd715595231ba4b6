import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { addressAt, firstAddress, nodeRange } from "#main/cidr.ts";

test("addresses and nodes' ranges follow from a cluster's ranges", () => {
  deepEqual(
    [
      firstAddress("10.96.0.0/16"),
      addressAt("10.96.0.0/16", 10),
      addressAt("10.96.0.0/16", 300),
      nodeRange("10.244.0.0/16", 0),
      nodeRange("10.244.0.0/16", 255),
      nodeRange("10.244.0.0/16", 256),
    ],
    ["10.96.0.1", "10.96.0.10", "10.96.1.44", "10.244.0.0/24", "10.244.255.0/24", "10.245.0.0/24"],
  );
});
