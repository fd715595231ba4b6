import type { KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { discoverResources, type ServedResource } from "#client/discovery.ts";
import { createInformer } from "#client/create-informer.ts";
import type { Informer } from "#client/informer.ts";
import { onlyReferences } from "#controllers/garbage-collector/owner-graph.ts";
import type { ControllerKit } from "#controllers/parts.ts";

export interface WatchedResource {
  readonly resource: ServedResource;
  readonly informer: Informer<KubeObject>;
  stop(): void;
}

/** The resources that can own or be owned: all that are served, can be watched and deleted, except events. */
export class WatchedResources {
  readonly #kit: ControllerKit;
  readonly #watched = new Map<string, WatchedResource>();
  /** Served resources by group and kind: what owner references name. */
  #byKind = new Map<string, ServedResource>();

  constructor(kit: ControllerKit) {
    this.#kit = kit;
  }

  /** Asks what is served now; returns what is newly watched. A resource no longer served is let go. */
  async refresh(): Promise<readonly WatchedResource[]> {
    const served = await discoverResources(this.#kit.client, this.#kit.signal);
    this.#byKind = new Map(
      served.map((resource) => [`${resource.group}/${resource.kind}`, resource]),
    );
    const wanted = new Map(served.filter(isCollectable).map((one) => [keyOfResource(one), one]));
    for (const [key, watched] of this.#watched) {
      if (wanted.has(key)) continue;
      watched.stop();
      this.#watched.delete(key);
    }
    const added = [...wanted].filter(([key]) => !this.#watched.has(key));
    return added.map(([key, resource]) => {
      const watched = this.#watch(resource);
      this.#watched.set(key, watched);
      return watched;
    });
  }

  /** The resource of an owner reference; undefined when the kind is not served. */
  ofKind(apiVersion: string, kind: string): ServedResource | undefined {
    const slash = apiVersion.indexOf("/");
    const group = slash < 0 ? "" : apiVersion.slice(0, slash);
    return this.#byKind.get(`${group}/${kind}`);
  }

  stop(): void {
    for (const watched of this.#watched.values()) watched.stop();
    this.#watched.clear();
  }

  /** What others read in this process is read with them; for the rest only references are kept. */
  #watch(resource: ServedResource): WatchedResource {
    const { client, informers, clock, log, signal } = this.#kit;
    const shared = informers.known<KubeObject>(resource);
    if (shared) return { resource, informer: shared, stop: () => {} };
    const end = new AbortController();
    const informer = createInformer<KubeObject>(client, resource, {
      keep: onlyReferences,
      signal: AbortSignal.any([signal, end.signal]),
      clock,
      log,
    });
    return { resource, informer, stop: () => end.abort() };
  }
}

function isCollectable({ group, resource, verbs }: ServedResource): boolean {
  if (resource === "events" && (group === "" || group === "events.k8s.io")) return false;
  return ["list", "watch", "delete"].every((verb) => verbs.includes(verb));
}

function keyOfResource({ group, version, resource }: Resource): string {
  return `${group}/${version}/${resource}`;
}
