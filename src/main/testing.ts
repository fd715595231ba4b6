import { writeFileSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import type { Clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Log } from "#base/log.ts";
import { seededRandom, systemRandom } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { Informers } from "#client/informers.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import { startControlPlane } from "#main/control-plane.ts";
import { kubeconfigOf } from "#main/kubeconfig.ts";
import { adminCertificate } from "#main/kubeconfig-command.ts";
import { startNodeStreams } from "#main/nodes/node-streams.ts";
import { startSimulatedNodes } from "#main/nodes/simulated-nodes.ts";
import { machineAddresses } from "#main/settings.ts";

export type { ServerFlags } from "#cli/server-flags.ts";
export type { Client } from "#client/client.ts";
export type { Resource } from "#api/resource.ts";

export interface TestClusterOptions {
  /** How many simulated nodes; default 1. */
  readonly nodes?: number;
  /** How the API server is run, as flags of `kogge server`: `{ oidcIssuerUrl: "https://…" }`. */
  readonly flags?: ServerFlags;
  /** Makes names and choices repeatable. */
  readonly seed?: number;
  /** Default: real time. */
  readonly clock?: Clock;
  /** Default: silent. */
  readonly log?: Log;
}

/** A whole cluster in the calling process: kept in memory, its nodes simulated. */
export interface TestCluster extends AsyncDisposable {
  /** Speaks to the API server in this process, as its administrator; objects that come back are frozen. */
  readonly client: Client;
  readonly informers: Informers;
  /** The API over HTTPS: `https://127.0.0.1:PORT`. */
  readonly server: string;
  /** An administrator's kubeconfig for `server`, as text. */
  readonly kubeconfig: string;
  readonly nodes: readonly string[];
  writeKubeconfig(file: string): void;
}

/**
 * Starts a cluster with everything a real one has: API server with admission and server-side apply, controllers,
 * scheduler, garbage collection, nodes that run pods (in name only). Dispose of it with `await using`.
 */
export async function createCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const clock = options.clock ?? systemClock;
  const random = options.seed === undefined ? systemRandom : seededRandom(options.seed);
  const log = options.log ?? silentLog;
  const pki = createMemoryPki(Date.now());
  const [address = "127.0.0.1"] = machineAddresses();
  const ranges = { podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" };
  await using starting = new AsyncDisposableStack();
  const store = starting.use(createMemoryStore());
  const plane = starting.use(
    await startControlPlane({
      store,
      pki,
      clock,
      random,
      log,
      host: "127.0.0.1",
      port: 0,
      advertiseIp: address,
      serverNames: [],
      serverIps: [],
      ...ranges,
      ...(options.flags && { flags: options.flags }),
    }),
  );
  const streams = starting.use(await startNodeStreams({ pki, client: plane.client, address, log }));
  const nodes = await startSimulatedNodes(
    {
      ...ranges,
      count: options.nodes ?? 1,
      ranges: new Map(),
      clientFor: plane.clientFor,
      streams,
      address,
      clock,
      random,
      log,
    },
    starting,
  );
  const server = `https://127.0.0.1:${plane.port}`;
  const kubeconfig = kubeconfigOf({
    server,
    authority: pki.authority.certificate,
    user: "admin",
    credentials: adminCertificate(pki),
  });
  const running = starting.move();
  return {
    client: plane.client,
    informers: plane.informers,
    server,
    kubeconfig,
    nodes,
    writeKubeconfig: (file) => writeFileSync(file, kubeconfig, { mode: 0o600 }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
