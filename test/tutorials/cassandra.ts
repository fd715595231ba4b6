import { equal, match } from "node:assert/strict";
import {
  fetching,
  headlessService,
  podTemplate,
  scripts,
  volumeClaim,
} from "#test/tutorials/manifests.ts";
import type { Shell } from "#test/tutorials/shell.ts";

/** The tutorial "Deploying Cassandra": members join a ring by the seed's name, and are ready when they are in it. */
export async function runCassandra(shell: Shell): Promise<void> {
  const { kubectl, isReal, until } = shell;
  await kubectl("apply -f -", [
    ...(isReal ? [programs] : []),
    headlessService("cassandra", "cassandra", 80),
    ring(isReal),
  ]);
  match(await kubectl("rollout status sts/cassandra --timeout=110s"), /complete/);
  await isRing(shell, 3);
  await kubectl("scale sts cassandra --replicas=4");
  match(await kubectl("rollout status sts/cassandra --timeout=110s"), /complete/);
  await isRing(shell, 4);
  await kubectl("delete pod cassandra-0");
  await until("get sts cassandra -o jsonpath={.status.readyReplicas}", "4");
  await isRing(shell, 4);
  await kubectl("delete sts/cassandra svc/cassandra");
  await until("get pods -l app=cassandra -o name", "");
  await kubectl("delete pvc -l app=cassandra");
  await until("get pvc -o name", "");
}

const programs = scripts("cassandra-scripts", {
  "start.sh": `
    mkdir -p /tmp/www/cgi-bin
    cp /scripts/join /scripts/ring /tmp/www/cgi-bin/
    chmod +x /tmp/www/cgi-bin/*
    httpd -f -p 80 -h /tmp/www &
    until exec 3<>/dev/tcp/$SEED/80; do sleep 0.2; done
    printf "GET /cgi-bin/join?$HOSTNAME HTTP/1.0\\r\\n\\r\\n" >&3
    grep -q joined <&3 && touch /tmp/joined
    wait`,
  join: `#!/bin/sh
    printf 'Content-Type: text/plain\\r\\n\\r\\n'
    echo "$QUERY_STRING" >> /data/ring
    echo joined`,
  ring: `#!/bin/sh
    printf 'Content-Type: text/plain\\r\\n\\r\\n'
    sort -u /data/ring`,
});

function ring(isReal: boolean) {
  const mounts = [{ name: "data", mountPath: "/data" }];
  const real = {
    env: [{ name: "SEED", value: "cassandra-0.cassandra.default.svc.cluster.local" }],
    readinessProbe: { exec: { command: ["test", "-f", "/tmp/joined"] }, periodSeconds: 1 },
    volumeMounts: [...mounts, { name: "scripts", mountPath: "/scripts" }],
  };
  const volumes = [{ name: "scripts", configMap: { name: "cassandra-scripts" } }];
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "cassandra" },
    spec: {
      selector: { matchLabels: { app: "cassandra" } },
      serviceName: "cassandra",
      replicas: 3,
      template: podTemplate("cassandra", "source /scripts/start.sh", {
        container: isReal ? real : { volumeMounts: mounts },
        spec: isReal ? { volumes } : {},
      }),
      volumeClaimTemplates: [volumeClaim("data")],
    },
  };
}

async function isRing({ kubectl, isReal, untilInPod }: Shell, size: number): Promise<void> {
  const members = Array.from({ length: size }, (_, ordinal) => `cassandra-${ordinal}`);
  const pods = "get pods -l app=cassandra -o jsonpath={.items[*].metadata.name}";
  equal(await kubectl(pods), members.join(" "));
  if (!isReal) return;
  const ask = fetching("cassandra-0.cassandra", "/cgi-bin/ring");
  await untilInPod(`cassandra-${size - 1}`, ask, members.join("\n"));
}
