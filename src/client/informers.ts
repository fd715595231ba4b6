import type { KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import type { IndexFunction, Informer } from "#client/informer.ts";

/** One informer a resource, however many read it. */
export interface Informers {
  /** The resource's informer, started when first asked for; `indexes` are added to those it has. */
  of<T extends KubeObject>(
    resource: Resource<T>,
    indexes?: Readonly<Record<string, IndexFunction<T>>>,
  ): Informer<T>;
  /** The resource's informer if somebody reads it. */
  known<T extends KubeObject>(resource: Resource<T>): Informer<T> | undefined;
  /** Resolves once all informers asked for so far are synced. */
  synced(): Promise<void>;
}

export interface InformersParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function createInformers(parts: InformersParts): Informers {
  const { client, ...options } = parts;
  const informers = new Map<string, Informer<KubeObject>>();
  return {
    of: <T extends KubeObject>(
      resource: Resource<T>,
      indexes: Readonly<Record<string, IndexFunction<T>>> = {},
    ) => {
      const key = keyOfResource(resource);
      const known = informers.get(key) as Informer<T> | undefined;
      const informer = known ?? createInformer(client, resource, options);
      informers.set(key, informer as unknown as Informer<KubeObject>);
      for (const [name, valuesOf] of Object.entries(indexes)) informer.addIndex(name, valuesOf);
      return informer;
    },
    known: (resource) => informers.get(keyOfResource(resource)) as never,
    synced: async () => {
      await Promise.all([...informers.values()].map((informer) => informer.synced));
    },
  };
}

/** `pods` or `deployments.apps`: versions of one resource hold the same objects, but read differently. */
function keyOfResource(resource: Resource): string {
  return `${resource.group}/${resource.version}/${resource.resource}`;
}
