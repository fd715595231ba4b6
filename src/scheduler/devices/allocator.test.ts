import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device, DeviceClaim } from "#api/generated/types.ts";
import { driver, node, outcomeOf, type Given } from "#scheduler/devices/testing.ts";

function gpus(...names: readonly string[]): readonly Device[] {
  return names.map((name) => ({ name }));
}

/** `request: device …` of each claim, which is what most cases are about. */
function devicesOf(given: Given): readonly string[] | string {
  const outcome = outcomeOf(given);
  if (typeof outcome === "string") return outcome;
  return outcome.map(({ devices }) =>
    (devices?.results ?? []).map(({ request, device }) => `${request}: ${device}`).join(", "),
  );
}

const cel = (expression: string) => [{ cel: { expression } }];
const attribute = (name: string, value: string) =>
  cel(`device.attributes["${driver}"].${name} == "${value}"`);
const used = (device: string, more = {}) => ({
  request: "r",
  driver,
  pool: "pool",
  device,
  ...more,
});
const asking = (more: object): DeviceClaim => ({
  requests: [{ name: "r", exactly: { deviceClassName: "gpu", count: 1, ...more } }],
});
const one = asking({});
const none = "cannot allocate all claims";

test("allocate() finds devices for the claims of a pod, or says in upstream's words why there are none", () => {
  const numa = (name: string, value: string): Device => ({
    name,
    attributes: { numa: { string: value } },
  });
  const counted = (name: string, memory: string): Device => ({
    name,
    consumesCounters: [{ counterSet: "card", counters: { memory: { value: memory } } }],
  });
  const card = {
    sharedCounters: [{ name: "card", counters: { memory: { value: "40Gi" } } }],
    pool: { name: "pool", generation: 1, resourceSliceCount: 2 },
  };
  const parts: Device = {
    name: "nic",
    allowMultipleAllocations: true,
    capacity: {
      bandwidth: {
        value: "10",
        requestPolicy: { default: "1", validRange: { min: "2", step: "2", max: "8" } },
      },
    },
  };
  const bandwidth = (asked: string) => asking({ capacity: { requests: { bandwidth: asked } } });
  const count = (wanted: number) => asking({ count: wanted });
  const all: DeviceClaim = {
    requests: [{ name: "r", exactly: { deviceClassName: "gpu", allocationMode: "All" } }],
  };
  const admin = asking({ adminAccess: true });
  const alternatives: DeviceClaim = {
    requests: [
      {
        name: "r",
        firstAvailable: [
          { name: "big", deviceClassName: "gpu", count: 1, selectors: attribute("numa", "big") },
          { name: "two", deviceClassName: "gpu", count: 2 },
        ],
      },
    ],
  };
  const tainted: Device = { name: "sick", taints: [{ key: "sick", effect: "NoSchedule" }] };
  const cases: readonly (readonly [string, Given, readonly string[] | string])[] = [
    [
      "the first free device",
      { slices: [{ devices: gpus("0", "1") }], claims: [one], used: [used("0")] },
      ["r: 1"],
    ],
    ["none is free", { slices: [{ devices: gpus("0") }], claims: [one], used: [used("0")] }, none],
    ["on another node", { slices: [{ devices: gpus("0") }], claims: [one], on: node("b") }, none],
    [
      "exactly so many",
      { slices: [{ devices: gpus("0", "1", "2") }], claims: [count(2)] },
      ["r: 0, r: 1"],
    ],
    ["not so many", { slices: [{ devices: gpus("0") }], claims: [count(2)] }, none],
    [
      "two claims never share",
      { slices: [{ devices: gpus("0", "1") }], claims: [one, one] },
      ["r: 0", "r: 1"],
    ],
    ["all of them", { slices: [{ devices: gpus("0", "1") }], claims: [all] }, ["r: 0, r: 1"]],
    [
      "all, of which one is used",
      { slices: [{ devices: gpus("0", "1") }], claims: [all], used: [used("1")] },
      none,
    ],
    ["all of none", { slices: [{ devices: [] }], claims: [all] }, none],
    [
      "all of a pool that is being published",
      {
        slices: [
          { devices: gpus("0"), pool: { name: "pool", generation: 1, resourceSliceCount: 2 } },
        ],
        claims: [all],
      },
      `claim default/claim-0, request r: asks for all devices, but resource pool ${driver}/pool is currently being updated`,
    ],
    [
      "a pool that is being published",
      {
        slices: [
          { devices: gpus("0"), pool: { name: "pool", generation: 1, resourceSliceCount: 2 } },
        ],
        claims: [one],
      },
      none,
    ],
    [
      "of several generations the newest",
      {
        slices: [
          { devices: gpus("old"), pool: { name: "pool", generation: 1, resourceSliceCount: 1 } },
          { devices: gpus("new"), pool: { name: "pool", generation: 2, resourceSliceCount: 1 } },
        ],
        claims: [one],
      },
      ["r: new"],
    ],
    [
      "a pool with a name twice",
      { slices: [{ devices: gpus("0", "0") }], claims: [one] },
      "invalid resource pools were encountered",
    ],
    [
      "what class and request select",
      {
        slices: [{ devices: [numa("0", "x"), numa("1", "y")] }],
        classes: { gpu: { selectors: cel(`device.driver == "${driver}"`) } },
        claims: [asking({ selectors: attribute("numa", "y") })],
      },
      ["r: 1"],
    ],
    [
      "a selector that fails",
      {
        slices: [{ devices: gpus("0") }],
        claims: [asking({ selectors: attribute("numa", "y") })],
      },
      "claim default/claim-0: selector #0: CEL runtime error: no such key: numa",
    ],
    [
      "one attribute alike, found by going back",
      {
        slices: [{ devices: [numa("0", "x"), numa("1", "y"), numa("2", "y")] }],
        claims: [{ ...count(2), constraints: [{ matchAttribute: `${driver}/numa` }] }],
      },
      ["r: 1, r: 2"],
    ],
    [
      "one attribute different",
      {
        slices: [{ devices: [numa("0", "x"), numa("1", "x"), numa("2", "y")] }],
        claims: [{ ...count(2), constraints: [{ distinctAttribute: `${driver}/numa` }] }],
      },
      ["r: 0, r: 2"],
    ],
    [
      "an earlier request gives way to a later one",
      {
        slices: [{ devices: [numa("0", "x"), numa("1", "y")] }],
        claims: [
          {
            requests: [
              { name: "any", exactly: { deviceClassName: "gpu", count: 1 } },
              {
                name: "x",
                exactly: { deviceClassName: "gpu", count: 1, selectors: attribute("numa", "x") },
              },
            ],
          },
        ],
      },
      ["any: 1, x: 0"],
    ],
    [
      "the first alternative",
      { slices: [{ devices: [numa("0", "x"), numa("1", "big")] }], claims: [alternatives] },
      ["r/big: 1"],
    ],
    [
      "the second alternative",
      {
        slices: [{ devices: [numa("0", "x"), numa("1", "big"), numa("2", "x")] }],
        claims: [alternatives],
        used: [used("1")],
      },
      ["r/two: 0, r/two: 2"],
    ],
    [
      "an administrator looks at what is used",
      { slices: [{ devices: gpus("0") }], claims: [admin], used: [used("0")] },
      ["r: 0"],
    ],
    [
      "and takes nothing",
      { slices: [{ devices: gpus("0") }], claims: [one], used: [used("0", { adminAccess: true })] },
      ["r: 0"],
    ],
    [
      "nor in the same pod",
      { slices: [{ devices: gpus("0") }], claims: [admin, one] },
      ["r: 0", "r: 0"],
    ],
    ["a tainted device", { slices: [{ devices: [tainted] }], claims: [one] }, none],
    [
      "a tainted device, tolerated",
      {
        slices: [{ devices: [tainted] }],
        claims: [asking({ tolerations: [{ key: "sick", operator: "Exists" }] })],
      },
      ["r: sick"],
    ],
    [
      "parts of a card as long as it has memory",
      {
        slices: [
          {
            devices: [counted("20", "20Gi"), counted("30", "30Gi"), counted("10", "10Gi")],
            pool: card.pool,
          },
          card,
        ],
        claims: [count(2)],
        used: [used("10")],
      },
      none,
    ],
    [
      "parts of a card, found by going back",
      {
        slices: [
          {
            devices: [counted("20", "20Gi"), counted("40", "40Gi"), counted("10", "10Gi")],
            pool: card.pool,
          },
          card,
        ],
        claims: [count(2)],
      },
      ["r: 20, r: 10"],
    ],
    [
      "a part of a device",
      { slices: [{ devices: [parts] }], claims: [bandwidth("3"), bandwidth("6")] },
      ["r: nic", "r: nic"],
    ],
    [
      "more than the parts that are left",
      { slices: [{ devices: [parts] }], claims: [bandwidth("5"), bandwidth("6")] },
      none,
    ],
    [
      "what others have of it",
      {
        slices: [{ devices: [parts] }],
        claims: [bandwidth("6")],
        used: [used("nic", { shareID: "s", consumedCapacity: { bandwidth: "6" } })],
      },
      none,
    ],
    [
      "devices of nodes with a label",
      {
        slices: [
          {
            devices: gpus("0"),
            nodeSelector: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: "zone", operator: "In", values: ["east"] }] },
              ],
            },
          },
        ],
        claims: [one],
        on: node("b", { zone: "east" }),
      },
      ["r: 0"],
    ],
    [
      "devices that say themselves where they are",
      {
        slices: [
          {
            devices: [
              { name: "0", nodeName: "b" },
              { name: "1", allNodes: true },
            ],
            perDeviceNodeSelection: true,
          },
        ],
        claims: [one],
      },
      ["r: 1"],
    ],
  ];
  for (const [what, given, expected] of cases) assert.deepEqual(devicesOf(given), expected, what);
});

test("allocate() says where the devices can be used, how they are set up, and what was taken of them", () => {
  const opaque = (text: string) => ({ opaque: { driver, parameters: { text } } });
  const zone = { key: "zone", operator: "In", values: ["east"] };
  const outcome = outcomeOf({
    slices: [
      {
        nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [zone] }] },
        devices: [
          {
            name: "nic",
            allowMultipleAllocations: true,
            bindingConditions: ["Ready"],
            bindingFailureConditions: ["Broken"],
            capacity: { bandwidth: { value: "10Gi" } },
          },
        ],
      },
      {
        allNodes: true,
        pool: { name: "z", generation: 1, resourceSliceCount: 1 },
        devices: gpus("0"),
      },
    ],
    classes: { gpu: { config: [opaque("class")] } },
    claims: [
      {
        requests: [
          {
            name: "net",
            exactly: {
              deviceClassName: "gpu",
              count: 1,
              selectors: cel("device.allowMultipleAllocations"),
              capacity: { requests: { bandwidth: "2Gi" } },
            },
          },
          { name: "any", firstAvailable: [{ name: "gpu", deviceClassName: "gpu", count: 1 }] },
        ],
        config: [
          { requests: ["any"], ...opaque("any") },
          { requests: ["any/other"], ...opaque("other") },
          opaque("all"),
        ],
      },
    ],
    on: node("b", { zone: "east" }),
  });
  assert.deepEqual(outcome, [
    {
      devices: {
        results: [
          {
            request: "net",
            driver,
            pool: "pool",
            device: "nic",
            bindingConditions: ["Ready"],
            bindingFailureConditions: ["Broken"],
            shareID: "share-1",
            consumedCapacity: { bandwidth: "2Gi" },
          },
          { request: "any/gpu", driver, pool: "z", device: "0" },
        ],
        config: [
          { source: "FromClass", requests: ["net", "any/gpu"], ...opaque("class") },
          { source: "FromClaim", requests: ["any"], ...opaque("any") },
          { source: "FromClaim", ...opaque("all") },
        ],
      },
      nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [zone] }] },
    },
  ]);
});
