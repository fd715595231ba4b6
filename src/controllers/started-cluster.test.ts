import { ok } from "node:assert/strict";
import type { Node } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { nodes, pods } from "#api/resources.ts";
import { isNotFound } from "#api/status.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock, type Clock } from "#base/clock.ts";
import { createLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformers, type Informers } from "#client/informers.ts";
import { createControllers } from "#controllers/controllers.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

export interface Cluster extends AsyncDisposable {
  readonly client: Client;
  readonly informers: Informers;
  /** Resolves when the condition holds for what the cluster's informers show. */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** A time that passes as the test says. */
export interface Time {
  readonly clock: Clock;
  /** Called over and over while the test waits. */
  readonly tick: (client: Client) => Promise<void>;
  /** Nodes that do nothing any more. */
  readonly silent: ReadonlySet<string>;
}

/** The real API server in memory with all controllers, the scheduler and nodes whose pods start at once. */
export async function startCluster(nodeCount = 2, time?: Time): Promise<Cluster> {
  const stop = new AbortController();
  const problems: string[] = [];
  const log = createLog(({ level, phrase, fields }) => {
    if (level === "warn" || level === "error")
      problems.push(`${phrase} ${String(fields["error"])}`);
  });
  const parts = { clock: time?.clock ?? systemClock, random: seededRandom(1), log };
  const server = await createApiServer({
    ...parts,
    store: createMemoryStore(),
    kinds: builtinKinds(),
    serviceNetwork: { serviceCidr: "10.96.0.0/16" },
  });
  const user = { name: "admin", groups: ["system:masters"] };
  const client = createClient(createInProcessTransport(server, user));
  const informers = createInformers({ ...parts, client, signal: stop.signal });
  const shared = { ...parts, client, informers, signal: stop.signal };
  const controllers = createControllers({ ...shared, rootCa: "PEM" });
  const scheduler = createScheduler(shared);
  for (let number = 0; number < nodeCount; number++) {
    await addNode(client, readyNode(`node-${number}`));
  }
  runPods(client, informers, time?.silent);
  const limit = AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]);
  return {
    client,
    informers,
    async until(condition) {
      while (!condition()) {
        await time?.tick(client);
        if (limit.aborted) throw new Error(`Cannot wait longer; problems: ${problems.join("; ")}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async [Symbol.asyncDispose]() {
      await scheduler[Symbol.asyncDispose]();
      await controllers[Symbol.asyncDispose]();
      stop.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

export async function addNode(client: Client, node: Node): Promise<void> {
  await client.create(nodes, node);
  // Its taint goes meanwhile: the status is wanted whatever the version.
  await client.update(nodes, node, { subresource: "status" });
}

export const readyNode = (name: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
  status: {
    allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
    conditions: [{ type: "Ready", status: "True" }],
  },
});

/** Plays the nodes: pods become ready at once and go when they are told to. */
function runPods(client: Client, informers: Informers, silent?: ReadonlySet<string>): void {
  let number = 0;
  informers.of(pods).onChange(({ kind, object }) => {
    if (kind === "deleted" || !object.spec?.nodeName) return;
    if (silent?.has(object.spec.nodeName)) return;
    const at = { name: nameOf(object), namespace: namespaceOf(object) };
    const ignore = (error: unknown): void => ok(isNotFound(error) || String(error) !== "", "");
    if (object.metadata.deletionTimestamp) {
      client.delete(pods, at, { gracePeriodSeconds: 0 }).catch(ignore);
    } else if (object.status?.phase === "Running") {
      if (object.spec.restartPolicy === "Always") return;
      const patch = { kind: "merge" as const, value: { status: { phase: "Succeeded" } } };
      client.patch(pods, at, patch, { subresource: "status" }).catch(ignore);
    } else if (object.status?.phase === "Pending") {
      const podIP = `10.244.0.${++number}`;
      const conditions = [
        { type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() },
      ];
      const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions };
      const patch = { kind: "strategic" as const, value: { status } };
      client.patch(pods, at, patch, { subresource: "status" }).catch(ignore);
    }
  });
}
