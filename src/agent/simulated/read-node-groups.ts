import type { Taint } from "#api/generated/types.ts";
import type { Lifecycle, NodeGroup, SimulatedNodesFile } from "#agent/simulated/node-groups.ts";
import { readDevices } from "#agent/simulated/read-devices.ts";
import {
  amountOf,
  expect,
  fieldsOf,
  isWhole,
  listAt,
  onlyFields,
  textsAt,
  type Fields,
} from "#agent/simulated/read-fields.ts";

/** Nodes of one cluster at most. */
const nodesMax = 10_000;

/** Reads what a file of simulated nodes says. Throws with the path of the field that is wrong. */
export function readSimulatedNodes(value: unknown): SimulatedNodesFile {
  const file = fieldsOf(value, "the file");
  onlyFields(file, ["apiVersion", "kind", "groups", "lifecycles"], "");
  expect(file["apiVersion"] === "kogge.dev/v1", "apiVersion", "must be kogge.dev/v1");
  expect(file["kind"] === "SimulatedNodes", "kind", "must be SimulatedNodes");
  const groups = listAt(file, "groups", "groups").map((group, index) =>
    readGroup(group, `groups[${index}]`),
  );
  expect(groups.length > 0, "groups", "must have at least one group");
  for (const [index, { name }] of groups.entries()) {
    const first = groups.findIndex((other) => other.name === name);
    expect(first === index, `groups[${index}].name`, `"${name}" is there twice`);
  }
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  expect(total <= nodesMax, "groups", `make ${total} nodes; at most ${nodesMax} are simulated`);
  const lifecycles = listAt(file, "lifecycles", "lifecycles").map((lifecycle, index) =>
    readLifecycle(lifecycle, `lifecycles[${index}]`),
  );
  return { groups, lifecycles };
}

const usualCapacity: Fields = {
  cpu: "8",
  memory: "32Gi",
  "ephemeral-storage": "100Gi",
  pods: "110",
};

function readGroup(value: unknown, path: string): NodeGroup {
  const group = fieldsOf(value, path);
  onlyFields(
    group,
    ["name", "count", "labels", "zones", "taints", "os", "arch", "capacity", "devices", "failures"],
    path,
  );
  const { name, count = 1, os = "linux", arch = "amd64" } = group;
  const isName = typeof name === "string" && /^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/.test(name);
  expect(isName, `${path}.name`, "must be lower-case letters, digits and -, at most 52");
  expect(isWhole(count) && count > 0, `${path}.count`, "must be a whole number from 1");
  expect(os === "linux" || os === "windows", `${path}.os`, "must be linux or windows");
  expect(typeof arch === "string", `${path}.arch`, "must be text");
  const given = fieldsOf(group["capacity"] ?? {}, `${path}.capacity`);
  const amounts = Object.entries({ ...usualCapacity, ...given }).map(
    ([resource, amount]) => [resource, amountOf(amount, `${path}.capacity.${resource}`)] as const,
  );
  const { cpu, memory, "ephemeral-storage": disk, pods, ...extended } = Object.fromEntries(amounts);
  for (const resource of Object.keys(extended)) {
    expect(resource.includes("/"), `${path}.capacity.${resource}`, "is no resource of a node");
  }
  const failures = group["failures"];
  return {
    name: name as string,
    count: count as number,
    labels: textsAt(group, "labels", path),
    zones: listAt(group, "zones", `${path}.zones`).map((zone, index) => {
      expect(typeof zone === "string", `${path}.zones[${index}]`, "must be text");
      return zone as string;
    }),
    taints: listAt(group, "taints", `${path}.taints`).map((taint, index) =>
      readTaint(taint, `${path}.taints[${index}]`),
    ),
    os: os as "linux" | "windows",
    arch: arch as string,
    cpus: Math.max(1, Math.floor(cpu ?? 0)),
    memoryBytes: memory ?? 0,
    diskBytes: disk ?? 0,
    pods: Math.floor(pods ?? 0),
    extended: Object.fromEntries(
      Object.entries(extended).map(([resource, amount]) => [resource, String(amount)]),
    ),
    devices: readDevices(listAt(group, "devices", `${path}.devices`), `${path}.devices`),
    ...(failures !== undefined && { failures: readFailures(failures, `${path}.failures`) }),
  };
}

function readFailures(value: unknown, path: string): NonNullable<NodeGroup["failures"]> {
  const failures = fieldsOf(value, path);
  onlyFields(failures, ["everySeconds", "forSeconds"], path);
  const seconds = (name: string): number => {
    const given = failures[name];
    expect(typeof given === "number" && given > 0, `${path}.${name}`, "must be a number above 0");
    return given as number;
  };
  return { everySeconds: seconds("everySeconds"), forSeconds: seconds("forSeconds") };
}

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function readTaint(value: unknown, path: string): Taint {
  const taint = fieldsOf(value, path);
  onlyFields(taint, ["key", "value", "effect"], path);
  const { key, effect } = taint;
  expect(typeof key === "string" && key !== "", `${path}.key`, "must be a name");
  const isEffect = typeof effect === "string" && effects.includes(effect);
  expect(isEffect, `${path}.effect`, `must be one of ${effects.join(", ")}`);
  const text = taint["value"];
  expect(text === undefined || typeof text === "string", `${path}.value`, "must be text");
  return {
    key: key as string,
    effect: effect as string,
    ...(text !== undefined && { value: text as string }),
  };
}

/** What a lifecycle may say: the annotation, and how its value is checked. */
const simulations: Readonly<Record<string, readonly [string, "number" | "share" | "text"]>> = {
  startMs: ["start-ms", "number"],
  runSeconds: ["run-seconds", "number"],
  exitCode: ["exit-code", "number"],
  crashProbability: ["crash-probability", "share"],
  healthyAfterSeconds: ["healthy-after-seconds", "number"],
  unhealthyAfterSeconds: ["unhealthy-after-seconds", "number"],
  log: ["log", "text"],
  logEveryMs: ["log-every-ms", "number"],
  cpu: ["cpu", "text"],
  memory: ["memory", "text"],
};

function readLifecycle(value: unknown, path: string): Lifecycle {
  const lifecycle = fieldsOf(value, path);
  onlyFields(lifecycle, ["matchLabels", ...Object.keys(simulations)], path);
  const simulation = Object.entries(simulations).flatMap(([field, [annotation, kind]]) => {
    const given = lifecycle[field];
    if (given === undefined) return [];
    if (kind !== "text") {
      const max = kind === "share" ? 1 : Number.POSITIVE_INFINITY;
      const holds = typeof given === "number" && given >= 0 && given <= max;
      const range = kind === "share" ? "from 0 to 1" : "from 0";
      expect(holds, `${path}.${field}`, `must be a number ${range}`);
    } else if (field !== "log") amountOf(given, `${path}.${field}`);
    else expect(typeof given === "string", `${path}.${field}`, "must be text");
    return [[annotation, String(given as string | number)] as const];
  });
  const matchLabels = textsAt(lifecycle, "matchLabels", path);
  return { matchLabels, simulation: Object.fromEntries(simulation) };
}
