import type { ConfigMap, Node } from "#api/generated/types.ts";
import { configMaps, nodes } from "#api/resources.ts";
import { isAlreadyExists } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { agentConfigName } from "#main/joining-objects.ts";
import type { AgentConfig } from "#main/joining-objects.ts";
import type { AgentParts } from "#main/agent-process/agent-parts.ts";

export async function readAgentConfig(client: Client): Promise<AgentConfig> {
  const { data }: ConfigMap = await client.get(configMaps, agentConfigName);
  return JSON.parse(data?.["config"] ?? "{}") as AgentConfig;
}

const rangeTimeoutMs = 60_000;

/** Registers the node where it is new, and resolves with the range of its pods once the cluster has given it one. */
export async function ownPodRange(
  parts: AgentParts,
  client: Client,
  nodeName: string,
): Promise<string> {
  await ensureNode(client, nodeName);
  const { clock, log } = parts;
  const ending = new AbortController();
  const late = new Error(
    `Cannot start node "${nodeName}": the cluster gave it no range for its pods within ${rangeTimeoutMs / 1000} s; are all in use? (kubectl get nodes -o wide, kubectl get events)`,
  );
  const cancel = clock.after(rangeTimeoutMs, () => ending.abort(late));
  const signal = AbortSignal.any([parts.signal, ending.signal]);
  const fieldSelector = `metadata.name=${nodeName}`;
  const informer = createInformer(client, nodes, { fieldSelector, clock, log, signal });
  const range = (): string | undefined => informer.get({ name: nodeName })?.spec?.podCIDR;
  try {
    await informer.until(() => Boolean(range()), signal);
    return range() ?? "";
  } finally {
    cancel();
    ending.abort(new Error("the range is known"));
  }
}

/** It gets its labels and status, and becomes Ready, when the agent starts. */
async function ensureNode(client: Client, name: string): Promise<void> {
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    spec: { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] },
  };
  try {
    await client.create(nodes, node);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
