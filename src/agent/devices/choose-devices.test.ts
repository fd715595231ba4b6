import { deepEqual, rejects } from "node:assert/strict";
import { test } from "node:test";
import { chooseDevices } from "#agent/devices/choose-devices.ts";

/** Devices as `id@node`, those that are not well with a `!`. */
function asked(count: number, devices: string, more: Record<string, readonly string[]> = {}) {
  const all = devices.split(" ").map((text) => {
    const [id = "", node = "0"] = text.replace("!", "").split("@");
    return [id, { id, isHealthy: !text.endsWith("!"), numaNodes: [Number(node)] }] as const;
  });
  return {
    resource: "example.com/thing",
    count,
    devices: new Map(all),
    inUse: new Set(more["inUse"]),
    reusable: new Set(more["reusable"]),
    preferred: async () => more["preferred"] ?? [],
  };
}

const cases: readonly (readonly [string, ReturnType<typeof asked>, readonly string[]])[] = [
  ["takes healthy ones that nobody has", asked(1, "a! b c", { inUse: ["b"] }), ["c"]],
  ["takes what the plugin prefers", asked(2, "a b c", { preferred: ["c"] }), ["c", "a"]],
  [
    "hears no wish for what others have",
    asked(1, "a b", { inUse: ["b"], preferred: ["b"] }),
    ["a"],
  ],
  ["keeps to one NUMA node", asked(2, "a@0 b@1 c@1"), ["b", "c"]],
  [
    "begins with those of init containers",
    asked(2, "a b c", { inUse: ["c"], reusable: ["c"] }),
    ["c", "a"],
  ],
];

for (const [name, wanted, ids] of cases) {
  test(`chooseDevices() ${name}`, async () => deepEqual(await chooseDevices(wanted), ids));
}

test("chooseDevices() says in upstream's words why there are too few", async () => {
  await rejects(chooseDevices(asked(2, "a b", { inUse: ["a"] })), {
    message:
      "requested number of devices unavailable for example.com/thing. Requested: 2, Available: 1",
  });
  await rejects(chooseDevices(asked(1, "a! b!")), {
    message: "no healthy devices present; cannot allocate unhealthy devices example.com/thing",
  });
});
