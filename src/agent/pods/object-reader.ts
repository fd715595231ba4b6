import type { ConfigMap, Pod, Secret, Service } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { configMaps, secrets, services } from "#api/resources.ts";
import { ifFound, isNotFound } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { MissingObjectError, type ReferencedObjects } from "#agent/pods/environment.ts";

/** Reads the objects that pods refer to at the moment they are needed. */
export function readObjects(client: Client): ReferencedObjects {
  const read = async <T extends KubeObject>(
    resource: Resource<T>,
    at: { readonly namespace: string; readonly name: string },
  ): Promise<T> => {
    try {
      return await client.get(resource, at);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new MissingObjectError(`${resource.kind.toLowerCase()} "${at.name}" not found`);
    }
  };
  return {
    configMap: (namespace, name): Promise<ConfigMap> => read(configMaps, { namespace, name }),
    secret: (namespace, name): Promise<Secret> => read(secrets, { namespace, name }),
    async services(namespace, all): Promise<readonly Service[]> {
      const own = all ? (await client.list(services, { namespace })).items : [];
      if (namespace === "default" && all) return own;
      const api = await ifFound(client.get(services, { namespace: "default", name: "kubernetes" }));
      return api ? [api, ...own] : own;
    },
  };
}

/** Watches the config maps and secrets that volumes show, each once however many pods show it. */
export class VolumeSources implements Disposable {
  readonly #parts: { readonly client: Client; readonly clock: Clock; readonly log: Log };
  readonly #onChange: (source: string) => void;
  readonly #watched = new Map<string, AbortController>();

  constructor(
    parts: { readonly client: Client; readonly clock: Clock; readonly log: Log },
    onChange: (source: string) => void,
  ) {
    this.#parts = parts;
    this.#onChange = onChange;
  }

  /** Watches exactly these. */
  watch(sources: ReadonlySet<string>): void {
    for (const [source, ending] of this.#watched) {
      if (sources.has(source)) continue;
      ending.abort();
      this.#watched.delete(source);
    }
    for (const source of sources) if (!this.#watched.has(source)) this.#follow(source);
  }

  [Symbol.dispose](): void {
    this.watch(new Set());
  }

  #follow(source: string): void {
    const ending = new AbortController();
    this.#watched.set(source, ending);
    const [kind, namespace = "", name = ""] = source.split("/");
    const { client, ...rest } = this.#parts;
    const options = { ...rest, namespace, fieldSelector: `metadata.name=${name}` };
    const { signal } = ending;
    const resource: Resource<ConfigMap | Secret> = kind === "secret" ? secrets : configMaps;
    const informer = createInformer(client, resource, { ...options, signal });
    const listen = (): void => {
      const known = new Set([...informer.list()].map(({ metadata }) => metadata.resourceVersion));
      informer.onChange(({ object, kind: change }) => {
        // What is there already was read when the volume was set up.
        if (change === "added" && known.has(object.metadata.resourceVersion)) return;
        if (!signal.aborted) this.#onChange(source);
      });
    };
    informer.synced.then(listen, () => {});
  }
}

/** The sources of a pod's volumes as `configmap/NAMESPACE/NAME` and `secret/NAMESPACE/NAME`. */
export function volumeSourcesOf(pod: Pod): ReadonlySet<string> {
  const namespace = pod.metadata.namespace ?? "";
  const found = new Set<string>();
  const configMap = (name: string | undefined) =>
    name && found.add(`configmap/${namespace}/${name}`);
  const secret = (name: string | undefined) => name && found.add(`secret/${namespace}/${name}`);
  for (const volume of pod.spec?.volumes ?? []) {
    configMap(volume.configMap?.name);
    secret(volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      configMap(source.configMap?.name);
      secret(source.secret?.name);
    }
  }
  return found;
}
