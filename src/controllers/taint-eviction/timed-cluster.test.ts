import { nodes } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import { startCluster, type Cluster } from "#controllers/started-cluster.test.ts";
import { createManualClock, type ManualClock } from "#reconcile/manual-clock.ts";

export interface TimedCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly clock: ManualClock;
  /** From now on time passes as the test says; before, it passes while the test waits. */
  readonly stopTime: () => void;
}

/** A cluster with one node, whose time can be stopped when everything is in place. */
export async function startTimedCluster(): Promise<TimedCluster> {
  const clock = createManualClock(Date.parse("2026-01-01T00:00:00Z"));
  let isPassing = true;
  const tick = async (client: Client): Promise<void> => {
    if (!isPassing) return;
    clock.advance(100);
    const lastHeartbeatTime = new Date(clock.now()).toISOString();
    const conditions = [{ type: "Ready", status: "True", lastHeartbeatTime }];
    const patch = { kind: "strategic" as const, value: { status: { conditions } } };
    await client.patch(nodes, { name: "node-0" }, patch, { subresource: "status" });
  };
  const cluster = await startCluster(1, { clock, tick, silent: new Set() });
  return {
    cluster,
    clock,
    stopTime: () => {
      isPassing = false;
      // Events of two components that tell of a pod at the same moment would have the same name.
      clock.advance(1000);
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}
