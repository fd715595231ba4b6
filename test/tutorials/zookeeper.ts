import { equal, match } from "node:assert/strict";
import {
  fetching,
  headlessService,
  podTemplate,
  scripts,
  volumeClaim,
} from "#test/tutorials/manifests.ts";
import { images, type Shell } from "#test/tutorials/shell.ts";

/**
 * The tutorial "Running ZooKeeper": three members on three nodes, each knowing itself by its ordinal and the others by
 * name; what is written at one is read at another, and is there after all of them were deleted; drains keep the quorum.
 */
export async function runZooKeeper(shell: Shell): Promise<void> {
  const { kubectl, isReal } = shell;
  await kubectl("apply -f -", [...(isReal ? [members] : []), service, budget, ensemble(isReal)]);
  match(await kubectl("rollout status sts/zk --timeout=110s"), /complete/);
  const spots = await kubectl("get pods -l app=zk -o jsonpath={.items[*].spec.nodeName}");
  equal(new Set(spots.split(" ")).size, 3, spots);
  if (isReal) await dataLasts(shell);
  if (isReal) await failuresAreMended(shell);
  await drainsKeepTheQuorum(shell);
  await isUpdatedAndUndone(shell);
  await kubectl("delete sts/zk svc/zk-hs pdb/zk-pdb");
  await shell.until("get pods -l app=zk -o name", "");
  await kubectl("delete pvc --all");
}

/** A member writes what it is given, and hands it on to the others, which only write it. */
const members = scripts("zk-scripts", {
  "start.sh": `
    ordinal=\${HOSTNAME##*-}
    echo $((ordinal + 1)) > /data/myid
    mkdir -p /tmp/www/cgi-bin
    for name in put copy get; do cp /scripts/$name /tmp/www/cgi-bin/; done
    chmod +x /tmp/www/cgi-bin/*
    touch /tmp/healthy
    # As a child: the first process of a container cannot be killed from within.
    httpd -f -p 80 -h /tmp/www`,
  put: `#!/usr/bin/bash
    printf 'Content-Type: text/plain\\r\\n\\r\\n'
    for other in 0 1 2; do
      exec 3<>/dev/tcp/zk-$other.zk-hs/80
      printf "GET /cgi-bin/copy?$QUERY_STRING HTTP/1.0\\r\\n\\r\\n" >&3
      cat <&3 > /dev/null
    done
    echo written`,
  copy: `#!/bin/sh
    printf 'Content-Type: text/plain\\r\\n\\r\\n'
    echo "$QUERY_STRING" > /data/znode`,
  get: `#!/bin/sh
    printf 'Content-Type: text/plain\\r\\n\\r\\n'
    cat /data/znode`,
});

const service = headlessService("zk-hs", "zk", 80);

const budget = {
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "zk-pdb" },
  spec: { selector: { matchLabels: { app: "zk" } }, maxUnavailable: 1 },
};

function ensemble(isReal: boolean) {
  const term = {
    labelSelector: { matchLabels: { app: "zk" } },
    topologyKey: "kubernetes.io/hostname",
  };
  const probe = { exec: { command: ["test", "-f", "/tmp/healthy"] }, periodSeconds: 1 };
  const mounts = [{ name: "datadir", mountPath: "/data" }];
  const container = isReal
    ? {
        livenessProbe: { ...probe, failureThreshold: 1, initialDelaySeconds: 2 },
        readinessProbe: probe,
        volumeMounts: [...mounts, { name: "scripts", mountPath: "/scripts" }],
      }
    : { volumeMounts: mounts };
  const spec = {
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
    ...(isReal && { volumes: [{ name: "scripts", configMap: { name: "zk-scripts" } }] }),
  };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "zk" },
    spec: {
      selector: { matchLabels: { app: "zk" } },
      serviceName: "zk-hs",
      replicas: 3,
      podManagementPolicy: "OrderedReady",
      template: podTemplate("zk", "source /scripts/start.sh", { container, spec }),
      volumeClaimTemplates: [volumeClaim("datadir")],
    },
  };
}

async function dataLasts(shell: Shell): Promise<void> {
  const { kubectl, inPod, untilInPod } = shell;
  for (const ordinal of [0, 1, 2]) {
    equal(
      await inPod(`zk-${ordinal}`, "cat /data/myid; hostname -f"),
      `${ordinal + 1}\nzk-${ordinal}.zk-hs.default.svc.cluster.local`,
    );
  }
  await untilInPod("zk-0", fetching("localhost", "/cgi-bin/put?world"), "written");
  equal(await inPod("zk-1", fetching("localhost", "/cgi-bin/get")), "world");
  await kubectl("delete sts zk");
  await shell.until("get pods -l app=zk -o name", "");
  await kubectl("apply -f -", ensemble(true));
  match(await kubectl("rollout status sts/zk --timeout=110s"), /complete/);
  equal(await inPod("zk-2", fetching("localhost", "/cgi-bin/get")), "world");
}

/** A server that is killed, and one that says it is not well, are started anew. */
async function failuresAreMended({ inPod, until }: Shell): Promise<void> {
  const restarts = (pod: string) =>
    `get pod ${pod} -o jsonpath={.status.containerStatuses[0].restartCount}`;
  await inPod("zk-0", "rm /tmp/healthy");
  await until(restarts("zk-0"), "1");
  await inPod("zk-1", "kill -9 $(pidof httpd)").catch(() => {});
  await until(restarts("zk-1"), "1");
  await until("get sts zk -o jsonpath={.status.availableReplicas}", "3");
}

async function drainsKeepTheQuorum({ kubectl, until, refused }: Shell): Promise<void> {
  const place = (pod: string) => kubectl(`get pod ${pod} -o jsonpath={.spec.nodeName}`);
  const [first, second] = [await place("zk-0"), await place("zk-1")];
  await kubectl(`drain ${first} --ignore-daemonsets --delete-emptydir-data`);
  await until("get pod zk-0 -o jsonpath={.status.phase}", "Pending");
  match(
    await refused(`drain ${second} --ignore-daemonsets --timeout=2s`),
    /would violate the pod's disruption budget/,
  );
  await kubectl(`uncordon ${first}`);
  await kubectl(`uncordon ${second}`);
  await until("get sts zk -o jsonpath={.status.availableReplicas}", "3");
  equal(await place("zk-0"), first);
}

async function isUpdatedAndUndone({ kubectl }: Shell): Promise<void> {
  const [old, next] = images;
  const image = "get pod zk-2 -o jsonpath={..containers[0].image}";
  await kubectl(
    `patch sts zk --type=json -p '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"${next}"}]'`,
  );
  match(await kubectl("rollout status sts/zk --timeout=110s"), /complete/);
  equal(await kubectl(image), next);
  match(await kubectl("rollout history sts/zk"), /^2 /m);
  await kubectl("rollout undo sts/zk");
  match(await kubectl("rollout status sts/zk --timeout=110s"), /complete/);
  equal(await kubectl(image), old);
}
