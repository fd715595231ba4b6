import { deepEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { behaviourOf } from "#agent/simulated/behaviour.ts";
import { crashOf, simulationWith } from "#agent/simulated/lifecycle.ts";
import { plannedNodes } from "#agent/simulated/node-groups.ts";
import { readSimulatedNodes } from "#agent/simulated/read-node-groups.ts";
import { unreachableClient } from "#agent/simulated/unreachable-client.ts";
import { seededRandom } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";

const read = (rest: object) =>
  readSimulatedNodes({ apiVersion: "kogge.dev/v1", kind: "SimulatedNodes", ...rest });

test("readSimulatedNodes() reads groups with what they leave out, and names their nodes", () => {
  const { groups, lifecycles } = read({
    groups: [
      {
        name: "gpu",
        count: 3,
        labels: { disk: "ssd" },
        zones: ["a", "b"],
        taints: [{ key: "k", effect: "NoSchedule" }],
        capacity: { memory: "1Gi", "nvidia.com/gpu": 8 },
        devices: [
          {
            driver: "gpu.example.com",
            name: "gpu",
            count: 2,
            attributes: { model: "a100", cores: 64, ok: true, api: { version: "1.2.3" } },
            capacity: { memory: "40Gi" },
          },
        ],
      },
    ],
    lifecycles: [{ matchLabels: { app: "web" }, startMs: 5, crashProbability: 0.5 }],
  });
  const gpu = {
    attributes: {
      model: { string: "a100" },
      cores: { int: 64 },
      ok: { bool: true },
      api: { version: "1.2.3" },
    },
    capacity: { memory: { value: "40Gi" } },
  };
  deepEqual(groups, [
    {
      name: "gpu",
      count: 3,
      labels: { disk: "ssd" },
      zones: ["a", "b"],
      taints: [{ key: "k", effect: "NoSchedule" }],
      os: "linux",
      arch: "amd64",
      cpus: 8,
      memoryBytes: 1024 ** 3,
      diskBytes: 100 * 1024 ** 3,
      pods: 110,
      extended: { "nvidia.com/gpu": "8" },
      devices: [
        {
          driver: "gpu.example.com",
          devices: ["gpu-0", "gpu-1"].map((name) => ({ name, ...gpu })),
        },
      ],
    },
  ]);
  deepEqual(
    plannedNodes(groups).map(({ name, labels }) => [name, labels["topology.kubernetes.io/zone"]]),
    [
      ["gpu-1", "a"],
      ["gpu-2", "b"],
      ["gpu-3", "a"],
    ],
  );
  deepEqual(lifecycles, [
    { matchLabels: { app: "web" }, simulation: { "start-ms": "5", "crash-probability": "0.5" } },
  ]);
});

test("readSimulatedNodes() names the field that is wrong", () => {
  const group = (fields: object) => ({ groups: [{ name: "a", ...fields }] });
  const wrong: readonly [object, RegExp][] = [
    [
      group({ devices: [{ driver: "d", attributes: { cores: 1.5 } }] }),
      /groups\[0\]\.devices\[0\]\.attributes\.cores: must be text, a whole number/,
    ],
    [{}, /^Error: groups: must have at least one group$/],
    [{ groups: [{ name: "A" }] }, /^Error: groups\[0\]\.name: must be lower-case/],
    [{ groups: [{ name: "a" }, { name: "a" }] }, /groups\[1\]\.name: "a" is there twice/],
    [group({ count: 20_000 }), /groups: make 20000 nodes; at most 10000/],
    [group({ size: 1 }), /groups\[0\]\.size: is no field; there are name/],
    [group({ labels: { a: 1 } }), /groups\[0\]\.labels\.a: must be text \(in quotes\)/],
    [group({ capacity: { memory: "much" } }), /capacity\.memory: must be an amount/],
    [group({ capacity: { gpu: 1 } }), /capacity\.gpu: is no resource of a node/],
    [group({ taints: [{ key: "k", effect: "No" }] }), /taints\[0\]\.effect: must be one of/],
    [group({ failures: { everySeconds: 0 } }), /failures\.everySeconds: must be a number above 0/],
    [
      { ...group({}), lifecycles: [{ crashProbability: 2 }] },
      /lifecycles\[0\]\.crashProbability: must be a number from 0 to 1/,
    ],
  ];
  for (const [rest, problem] of wrong) throws(() => read(rest), problem);
});

test("simulationWith() puts a pod's own annotations before its lifecycle, and that before what is usual", () => {
  const lifecycle = { matchLabels: { app: "web" }, simulation: { cpu: "2", "start-ms": "9" } };
  const annotations = { "simulated.kogge.dev/start-ms": "1" };
  const given = { cpu: "1", "start-ms": "1", memory: "1Mi" };
  deepEqual(
    [
      simulationWith([lifecycle], { labels: { app: "web" }, annotations }, given),
      simulationWith([lifecycle], { labels: { app: "other" }, annotations }, given),
    ],
    [{ cpu: "2", "start-ms": "1", memory: "1Mi" }, given],
  );
  const { runMs, exitCode } = crashOf(behaviourOf("c", {}), () => 0.5);
  deepEqual([runMs, exitCode], [5000, 1]);
});

test("unreachableClient() reaches nobody for as long as the node is down", async () => {
  const clock = createManualClock();
  const client = { read: async () => "answer" } as unknown as Client;
  const failures = { everySeconds: 100, forSeconds: 30 };
  using flaky = unreachableClient(client, { clock, random: seededRandom(1), failures });
  const answers: string[] = [];
  for (let seconds = 0; seconds < 2000; seconds += 10) {
    const answer = await flaky.read("/version").catch((error: Error) => error.message);
    if (answers.at(-1) !== answer) answers.push(String(answer));
    clock.advance(10_000);
  }
  deepEqual([...new Set(answers)], ["answer", "Cannot reach the API: the simulated node is down"]);
});
