import { equal, match } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { helmFor, kubectlFor } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

test(
  "helm 4 installs, upgrades, rolls back and removes its starter chart",
  { skip: missing("clients") },
  async () => {
    using folder = temporaryFolder("helm");
    await using cluster = await createCluster({ nodes: 2 });
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const kubectl = kubectlFor(kubeconfig);
    const helm = helmFor(kubeconfig);
    const chart = join(folder.path, "demo");
    await helm(["create", chart]);

    match(await helm(["install", "demo", chart, "--wait", "--timeout", "60s"]), /STATUS: deployed/);
    match(await kubectl("get deployment demo"), /demo +1\/1/);
    match(
      await helm([
        "upgrade",
        "demo",
        chart,
        "--set",
        "replicaCount=3",
        "--wait",
        "--timeout",
        "60s",
      ]),
      /REVISION: 2/,
    );
    match(await kubectl("get deployment demo"), /demo +3\/3/);
    match(
      await helm(["rollback", "demo", "1", "--wait", "--timeout", "60s"]),
      /Rollback was a success/,
    );
    equal(await kubectl("get deployment demo -o jsonpath={.spec.replicas}"), "1");
    match(
      await helm(["history", "demo"]),
      /1\s.*superseded[\s\S]*2\s.*superseded[\s\S]*3\s.*deployed/,
    );
    match(await helm(["list"]), /demo\s+default\s+3/);
    match(await helm(["test", "demo"]), /Phase: +Succeeded/);
    match(
      await helm(["uninstall", "demo", "--wait", "--timeout", "60s"]),
      /release "demo" uninstalled/,
    );
    equal(
      await kubectl(
        "get deployments,replicasets,services,serviceaccounts -l app.kubernetes.io/instance=demo -o name",
      ),
      "",
    );
  },
);
