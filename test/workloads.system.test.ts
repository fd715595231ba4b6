import { test } from "node:test";
import { missing } from "#test/needs.ts";
import { runDaemonSet, runJobs } from "#test/tutorials/batch.ts";
import { runCassandra } from "#test/tutorials/cassandra.ts";
import { runAutoscaler, runDeployment } from "#test/tutorials/deployments.ts";
import { openSimulatedShell } from "#test/tutorials/shell.ts";
import { runStatefulSet } from "#test/tutorials/stateful-set-basics.ts";
import { runZooKeeper } from "#test/tutorials/zookeeper.ts";

// What the tutorials of Kubernetes' documentation do with kubectl, on simulated nodes.
const tutorials = {
  "a Deployment is rolled out, undone, paused and scaled": runDeployment,
  "an autoscaler follows what pods use": runAutoscaler,
  "a StatefulSet keeps names and volumes, is scaled and updated in order": runStatefulSet,
  "the members of ZooKeeper keep their quorum through a drain": runZooKeeper,
  "the members of Cassandra form a ring": runCassandra,
  "a DaemonSet is rolled out and back": runDaemonSet,
  "Jobs run once, by index, by a calendar, and fail at once": runJobs,
};

for (const [name, follow] of Object.entries(tutorials)) {
  test(name, { skip: missing("clients") }, async () => {
    await using shell = await openSimulatedShell(3);
    await follow(shell);
  });
}
