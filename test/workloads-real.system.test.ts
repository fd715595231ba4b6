import { test } from "node:test";
import { missing } from "#test/needs.ts";
import { runDaemonSet, runJobs } from "#test/tutorials/batch.ts";
import { runCassandra } from "#test/tutorials/cassandra.ts";
import { runDeployment } from "#test/tutorials/deployments.ts";
import { openRealShell } from "#test/tutorials/shell.ts";
import { runStatefulSet } from "#test/tutorials/stateful-set-basics.ts";
import { runZooKeeper } from "#test/tutorials/zookeeper.ts";

const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");

test(
  "the tutorials of Kubernetes' documentation on three real nodes",
  { skip },
  async (context) => {
    await using shell = await openRealShell(3);
    await context.test("Deployments", () => runDeployment(shell));
    await context.test("StatefulSet Basics", () => runStatefulSet(shell));
    await context.test("ZooKeeper", () => runZooKeeper(shell));
    await context.test("Cassandra", () => runCassandra(shell));
    await context.test("DaemonSets", () => runDaemonSet(shell));
    await context.test("Jobs", () => runJobs(shell));
  },
);
