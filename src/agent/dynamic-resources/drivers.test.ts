import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pluginRegistrationTable } from "#agent/devices/device-messages.ts";
import { PluginWatcher } from "#agent/devices/plugin-watcher.ts";
import { serveSocket } from "#agent/devices/serve-socket.ts";
import { createClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import { DeviceHealth } from "#agent/dynamic-resources/device-health.ts";
import { draPackage, type DraService, draTable } from "#agent/dynamic-resources/dra-messages.ts";
import { Drivers } from "#agent/dynamic-resources/drivers.ts";
import { silentLog } from "#base/log.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { TestClock } from "#test/api-server.ts";
import { temporaryFolder } from "#test/temporary.ts";

interface Claims {
  readonly claims: readonly { readonly uid: string; readonly name: string }[];
}

/** Takes what comes, one at a time, as it comes. */
function queue<T>() {
  const here: T[] = [];
  const waiting: ((value: T) => void)[] = [];
  return {
    push(value: T): void {
      const next = waiting.shift();
      if (next) next(value);
      else here.push(value);
    },
    next: (): Promise<T> =>
      here.length > 0
        ? Promise.resolve(here.shift() as T)
        : new Promise((resolve) => waiting.push(resolve)),
  };
}

function openNode() {
  using stack = new DisposableStack();
  const dir = stack.use(temporaryFolder("drivers")).path;
  const clock = new TestClock();
  const registry = new MetricsRegistry();
  const wiped = queue<string>();
  const usable = queue<string>();
  const health = stack.use(new DeviceHealth({ clock, onChange: () => {} }));
  const client = {
    deleteCollection: async (_: unknown, options?: { readonly fieldSelector?: string }) =>
      wiped.push(options?.fieldSelector ?? ""),
  };
  const drivers = stack.use(
    new Drivers({
      client,
      nodeName: "n",
      clock,
      log: silentLog,
      health,
      metrics: createClaimMetrics(registry, clock),
      onUsable: (driver) => usable.push(driver),
    }),
  );
  const handlers = { DRAPlugin: drivers };
  const watcher = stack.use(new PluginWatcher({ dir, handlers, clock, log: silentLog }));
  const opened = stack.move();
  return {
    dir,
    clock,
    registry,
    wiped,
    usable,
    drivers,
    watcher,
    [Symbol.dispose]: () => opened.dispose(),
  };
}

/** A plugin with a registration socket of its own; `told` is what the node tells it. */
async function startPlugin(
  dir: string,
  info: {
    readonly type?: string;
    readonly name?: string;
    readonly versions?: readonly string[];
    readonly service?: DraService;
  } = {},
) {
  const { type = "DRAPlugin", name = "dra.example.com", service = "v1.DRAPlugin" } = info;
  const { versions = [service] } = info;
  const told = queue<{ readonly pluginRegistered: boolean; readonly error: string }>();
  const endpoint = join(dir, "..", `${dir.split("/").at(-1)}-${name}.endpoint`);
  const calls = await serveSocket({
    socket: endpoint,
    table: draTable(service),
    answers: {
      [`${draPackage(service)}.DRAPlugin/NodePrepareResources`]: ({ claims }: Claims) => ({
        claims: Object.fromEntries(claims.flatMap((claim) => answersTo(claim))),
      }),
    },
  });
  const socket = join(dir, "some", `${name}-reg.sock`);
  const registration = await serveSocket({
    socket,
    table: pluginRegistrationTable,
    answers: {
      "pluginregistration.Registration/GetInfo": () => ({
        type,
        name,
        endpoint,
        supportedVersions: versions,
      }),
      "pluginregistration.Registration/NotifyRegistrationStatus": (status: {
        readonly pluginRegistered: boolean;
        readonly error: string;
      }) => {
        told.push(status);
        return {};
      },
    },
  });
  /** It is gone, and its sockets with it. */
  const end = async (): Promise<void> => {
    calls[Symbol.dispose]();
    registration[Symbol.dispose]();
    await Promise.all([socket, endpoint].map((path) => rm(path, { force: true })));
  };
  return { told, socket, endpoint, end, [Symbol.asyncDispose]: end };
}

function answersTo({ uid, name }: { readonly uid: string; readonly name: string }) {
  if (name === "skipped") return [];
  if (name === "unknown") return [["another", {}]];
  if (name === "failing") return [[uid, { error: "no luck" }]];
  const device = { requestNames: ["r"], poolName: "p", deviceName: "d", cdiDeviceIds: ["x/y=z"] };
  return [[uid, { devices: [device] }]];
}

test("a driver is usable while its plugin is there; its slices go a while after it", async () => {
  using node = openNode();
  const { drivers, clock, wiped } = node;
  drivers.start();
  await node.watcher.start();
  equal(await wiped.next(), "spec.nodeName=n");
  await using plugin = await startPlugin(node.dir);
  deepEqual(structuredClone(await plugin.told.next()), { pluginRegistered: true, error: "" });
  equal(await node.usable.next(), "dra.example.com");
  clock.advance(60_000);
  const driver = drivers.get("dra.example.com");
  const claim = (name: string) => ({ namespace: "default", uid: `uid-${name}`, name });
  const device = { requestNames: ["r"], poolName: "p", deviceName: "d", cdiDeviceIds: ["x/y=z"] };
  deepEqual(
    structuredClone(await driver.prepare([claim("fine")], undefined)),
    new Map([["uid-fine", [device]]]),
  );
  const failures = {
    skipped: "NodePrepareResources skipped 1 ResourceClaims",
    unknown: "NodePrepareResources returned result for unknown claim UID another",
    failing: "NodePrepareResources failed for ResourceClaim failing: no luck",
  };
  for (const [name, message] of Object.entries(failures)) {
    await rejects(driver.prepare([claim(name)], undefined), { message });
  }
  // The plugin answered all of them: what it answers is no matter of gRPC's.
  match(
    node.registry.exposition(),
    /^dra_grpc_operations_duration_seconds_count\{driver_name="dra\.example\.com",grpc_status_code="OK",method_name="\/k8s\.io\.kubelet\.pkg\.apis\.dra\.v1\.DRAPlugin\/NodePrepareResources"\} 4$/m,
  );
  await plugin.end();
  while (isRegistered(drivers)) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(29_000);
  await using again = await startPlugin(node.dir, { service: "v1beta1.DRAPlugin" });
  equal(await node.usable.next(), "dra.example.com");
  const older = await drivers.get("dra.example.com").prepare([claim("fine")], undefined);
  deepEqual(structuredClone(older), new Map([["uid-fine", [device]]]));
  clock.advance(60_000);
  await again.end();
  while (isRegistered(drivers)) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(30_000);
  equal(await wiped.next(), "spec.nodeName=n,spec.driver=dra.example.com");
});

function isRegistered(drivers: Drivers): boolean {
  try {
    return drivers.get("dra.example.com") !== undefined;
  } catch {
    return false;
  }
}

test("a plugin is told why it is not registered", async () => {
  using node = openNode();
  await node.watcher.start();
  const validation = "RegisterPlugin error -- plugin validation failed with err:";
  const unspoken = `${validation} invalid supported gRPC versions of DRA driver plugin`;
  const cases = [
    {
      info: { name: "a", versions: [] },
      why: `${unspoken} a at endpoint ENDPOINT: empty list of supported gRPC services (aka supported versions)`,
    },
    {
      info: { name: "b", versions: ["v9.DRAPlugin"] },
      why: `${unspoken} b at endpoint ENDPOINT: none of services supported by the plugin (["v9.DRAPlugin"]) are supported by the kubelet (["v1.DRAPlugin" "v1beta1.DRAPlugin"])`,
    },
    {
      info: { name: "c", type: "CSIPlugin" },
      why: "RegisterPlugin error -- no handler registered for plugin type: CSIPlugin at socket SOCKET",
    },
    { info: { name: "D" }, why: `${validation} the driver name "D" is invalid` },
  ];
  for (const { info, why } of cases) {
    await using plugin = await startPlugin(node.dir, info);
    const { pluginRegistered, error } = await plugin.told.next();
    const text = why.replace("ENDPOINT", plugin.endpoint).replace("SOCKET", plugin.socket);
    deepEqual([pluginRegistered, error], [false, text]);
  }
});
