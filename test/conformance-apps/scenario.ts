import { test } from "node:test";
import type { Pod, PodTemplateSpec } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { namespaces, pods, serviceAccounts } from "#api/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { Informer } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";
import { createCluster } from "#main/testing.ts";

/** What a scenario has: a cluster with two simulated nodes, and a namespace of its own. */
export interface Scenario {
  readonly client: Client;
  readonly informers: Informers;
  readonly namespace: string;
  readonly until: (condition: () => boolean) => Promise<void>;
  readonly pods: () => readonly Pod[];
  readonly get: <T extends KubeObject>(resource: Resource<T>, name: string) => T | undefined;
}

/** A test of what certified clusters do, in a cluster of its own. */
export function scenario(name: string, act: (scene: Scenario) => Promise<void>): void {
  test(name, async () => {
    await using cluster = await createCluster({ nodes: 2 });
    const { client, informers } = cluster;
    const namespace = "conformance";
    await client.create(namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
    });
    const limit = AbortSignal.timeout(25_000);
    const podInformer = informers.of(pods);
    const accounts = informers.of(serviceAccounts);
    await accounts.until(() => accounts.get({ name: "default", namespace }) !== undefined, limit);
    await act({
      client,
      informers,
      namespace,
      async until(condition) {
        while (!condition()) {
          limit.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
      pods: () => [...podInformer.list(namespace)],
      get: <T extends KubeObject>(resource: Resource<T>, at: string) =>
        (informers.of(resource) as Informer<T>).get({ name: at, namespace }),
    });
  });
}

export const selectorOf = (app: string) => ({ matchLabels: { app } });

export function templateOf(
  app: string,
  { image = "v1", annotations = {} }: { image?: string; annotations?: Record<string, string> } = {},
  spec: object = {},
): PodTemplateSpec {
  return {
    metadata: { labels: { app }, annotations },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image }],
      ...spec,
    },
  };
}

export function ownersOf({ metadata }: KubeObject): readonly string[] {
  return (metadata.ownerReferences ?? []).map(({ kind, name }) => `${kind} ${name}`);
}

export function imagesOf(list: readonly Pod[]): readonly string[] {
  return list.map(({ spec }) => spec?.containers[0]?.image ?? "").toSorted();
}

export const alive = (list: readonly Pod[]): readonly Pod[] =>
  list.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
