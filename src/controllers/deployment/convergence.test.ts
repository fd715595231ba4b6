import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, Pod } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { nameOf } from "#api/meta.ts";
import { deployments, pods, replicaSets } from "#api/resources.ts";
import { conflict } from "#api/status.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom, type Random } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import { createInformers } from "#client/informers.ts";
import type { Transport } from "#client/transport.ts";
import { createControllers } from "#controllers/controllers.ts";
import { controllerRefOf } from "#reconcile/owners.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

const at = { namespace: "default", name: "web" };
const replicasMax = 6;
const surge = 2;

const web = (replicas: number, image: string): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: at,
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: 1 } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "c", image }], terminationGracePeriodSeconds: 0 },
    },
  },
});

const injected = conflict({ group: "", resource: "any" }, "injected", "injected");

/** Writes that conflict, answers that are lost, watches that break. */
function faulty(transport: Transport, random: Random): Transport {
  return {
    async request(request) {
      const write = request.method !== "GET";
      if (write && random() < 0.05) return { status: 409, value: injected.status };
      const answer = await transport.request(request);
      if (write && random() < 0.05) throw new Error("Cannot hear the answer: injected");
      return answer;
    },
    async watch(request) {
      const events = await transport.watch(request);
      return (async function* () {
        for await (const event of events) {
          yield event;
          if (random() < 0.02) throw new Error("Cannot go on watching: injected");
        }
      })();
    },
  };
}

for (const seed of [1, 2, 3, 4, 5]) {
  test(`a Deployment converges over conflicts, lost answers, broken watches and restarts (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const parts = { clock: systemClock, random, log: silentLog };
    await using server = await createApiServer({
      ...parts,
      store: createMemoryStore(),
      kinds: builtinKinds(),
      serviceNetwork: { serviceCidr: "10.96.0.0/16" },
    });
    const transport = createInProcessTransport(server, { name: "a", groups: ["system:masters"] });
    const client = createClient(transport);
    const observing = new AbortController();
    const informers = createInformers({ ...parts, client, signal: observing.signal });
    const podInformer = informers.of(pods);
    let most = 0;
    podInformer.onChange(({ kind, object }) => {
      const active = [...podInformer.list("default")].filter(isActive).length;
      most = Math.max(most, active);
      if (kind === "deleted" || object.status?.phase !== "Pending") return;
      const ready = { type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() };
      const value = { status: { phase: "Running", conditions: [ready] } };
      const where = { namespace: "default", name: nameOf(object) };
      client
        .patch(pods, where, { kind: "strategic", value }, { subresource: "status" })
        .catch(() => undefined);
    });
    await informers.synced();
    const start = (): AsyncDisposable => {
      const stop = new AbortController();
      const broken = createClient(faulty(transport, random));
      const shared = { ...parts, client: broken, signal: stop.signal };
      const own = createInformers(shared);
      const controllers = createControllers({ ...shared, informers: own, rootCa: "PEM" });
      return {
        async [Symbol.asyncDispose]() {
          await controllers[Symbol.asyncDispose]();
          stop.abort();
        },
      };
    };
    let controllers = start();
    await client.create(deployments, web(3, "v0"));
    for (let step = 1; step <= 6; step++) {
      const spec = web(1 + Math.floor(random() * replicasMax), `v${Math.floor(random() * 3)}`).spec;
      const value = { spec: { replicas: spec?.replicas, template: spec?.template } };
      await client.patch(deployments, at, { kind: "strategic", value });
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 150));
      if (random() < 0.5) {
        await controllers[Symbol.asyncDispose]();
        controllers = start();
      }
    }
    const wanted = await client.get(deployments, at);
    const replicas = wanted.spec?.replicas ?? 0;
    const image = wanted.spec?.template.spec?.containers[0]?.image;
    const seen = informers.of(deployments);
    await until(() => {
      const { updatedReplicas, availableReplicas, replicas: total } = seen.get(at)?.status ?? {};
      const current = seen.get(at);
      return (
        current?.status?.observedGeneration === current?.metadata.generation &&
        [updatedReplicas, availableReplicas, total].every((count) => count === replicas)
      );
    });
    await until(() => [...podInformer.list("default")].length === replicas);
    await controllers[Symbol.asyncDispose]();
    const sets = new Set(
      (await client.list(replicaSets)).items.map(({ metadata }) => metadata.uid),
    );
    const { items } = await client.list(pods);
    deepEqual(
      items.map((pod) => pod.spec?.containers[0]?.image),
      Array.from({ length: replicas }, () => image),
    );
    ok(
      items.every((pod) => sets.has(controllerRefOf(pod)?.uid)),
      "every pod has its ReplicaSet",
    );
    ok(most <= replicasMax + surge, `${most} pods at once`);
    equal((await client.list(deployments)).items.length, 1);
    observing.abort();
  });
}

function isActive({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status?.phase !== "Failed";
}

async function until(condition: () => boolean): Promise<void> {
  const limit = AbortSignal.timeout(20_000);
  while (!condition()) {
    if (limit.aborted) throw new Error("Cannot wait longer: it does not converge");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
