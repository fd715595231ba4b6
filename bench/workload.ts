import { deployments } from "#api/resources.ts";
import type { Deployment, Pod } from "#api/generated/types.ts";
import type { Client } from "#client/client.ts";

/** What the benchmarks put into a cluster. */
export function simulatedDeployment(name: string, replicas: number): Deployment {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec },
    },
  };
}

/** A pod that no node has to run: its node is chosen by nobody. */
export function unscheduledPod(name: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: "bench", part: name } },
    spec: { ...podSpec, schedulerName: "nobody" },
  };
}

const podSpec = {
  containers: [
    {
      name: "web",
      image: "registry.example/web:1",
      ports: [{ name: "http", containerPort: 8080 }],
      env: [{ name: "LEVEL", value: "info" }],
      resources: { requests: { cpu: "1m", memory: "1Mi" } },
    },
  ],
};

/** Resolves when the Deployment says that so many of its pods are Ready. */
export async function whenReady(client: Client, name: string, replicas: number): Promise<void> {
  const stop = new AbortController();
  const events = await client.watch(deployments, {
    signal: stop.signal,
    namespace: "default",
    fieldSelector: `metadata.name=${name}`,
  });
  const now = await client.get(deployments, { namespace: "default", name });
  const enough = ({ status }: Deployment): boolean => status?.readyReplicas === replicas;
  if (!enough(now)) {
    for await (const event of events) {
      if (event.type !== "BOOKMARK" && enough(event.object)) break;
    }
  }
  stop.abort();
}
