import { deepEqual, equal, match } from "node:assert/strict";
import { statfs } from "node:fs/promises";
import { test } from "node:test";
import { nodes, pods } from "#api/resources.ts";
import {
  eventually,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

test(
  "a disk without a free block: who filled it is evicted, the others go on, and new ones come again",
  { skip: needsContainers },
  async () => {
    await using node = await openRealNode({ diskSize: "200M" });
    const { client, dataDir } = node;
    await node.startAgent({
      settings: {
        evictionHard: { "nodefs.available": "20%" },
        evictionPressureTransitionPeriod: "1s",
      },
    });
    await client.create(pods, podOnNode("quiet"));
    const quiet = await until(client, "quiet", isReady);
    // It takes whatever is given back while it runs.
    const fill = "while :; do cat /dev/zero >> /v/fill; sleep 0.1; done";
    await client.create(
      pods,
      podOnNode("greedy", {
        containers: [
          { ...shellContainer("main", fill), volumeMounts: [{ name: "v", mountPath: "/v" }] },
        ],
        volumes: [{ name: "v", emptyDir: {} }],
      }),
    );
    const evicted = await until(client, "greedy", (pod) => pod?.status?.phase === "Failed");
    equal(evicted?.status?.reason, "Evicted");
    match(
      evicted?.status?.message ?? "",
      /^The node was low on resource: ephemeral-storage\. Threshold quantity: 40Mi, available: \d+(Ki)?\. /,
    );
    await eventually(client, "Attempting to reclaim ephemeral-storage");
    await eventually(client, "Node n status is now: NodeHasDiskPressure");
    await eventually(client, "Node n status is now: NodeHasNoDiskPressure");
    const { bavail, blocks } = await statfs(dataDir);
    equal(bavail / blocks > 0.5, true);

    await client.create(pods, podOnNode("next"));
    await until(client, "next", isReady);
    const still = await client.get(pods, { namespace: "default", name: "quiet" });
    deepEqual(still.status?.containerStatuses, quiet?.status?.containerStatuses);
    const { status } = await client.get(nodes, { name: "n" });
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    equal(ready?.status, "True");
  },
);
