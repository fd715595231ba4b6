import type { JsonObject } from "#api/kind.ts";
import type { Discoverable } from "#api/kinds/discovery.ts";
import type { Counter, MetricsRegistry } from "#base/metrics.ts";
import { lookAt, note } from "#apiserver/aggregation/availability-checks.ts";
import { ExtensionIndex, type Extension } from "#apiserver/aggregation/extension-index.ts";
import { discoverablesOf } from "#apiserver/aggregation/remote-discovery.ts";
import type { Change } from "#apiserver/cache/resource-cache.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** The servers that extend this one: which there are, whether they answer, and what they serve. */
export class Extensions implements Disposable {
  readonly #index: ExtensionIndex;
  readonly #resources = new Map<string, readonly Discoverable[]>();
  readonly #looking = new Set<string>();
  readonly #again = new Set<string>();
  readonly #watching: Disposable[] = [];
  readonly #failures: Counter;
  #state: ServerState | undefined;
  #cancelTimer: (() => void) | undefined;
  #generation = 0;

  constructor(cache: StoreCache, metrics: MetricsRegistry) {
    this.#index = new ExtensionIndex(cache, () => this.#lookAtAll());
    this.#failures = metrics.counter(
      "aggregator_unavailable_apiservice_total",
      "How often API services became unavailable, by name and reason.",
    );
    metrics.observedGauge(
      "aggregator_unavailable_apiservice",
      "Whether the API services of other servers are unavailable.",
      () =>
        this.all().map(({ name, available }) => ({ labels: { name }, value: available ? 0 : 1 })),
    );
  }

  /** Begins to look whether they answer. */
  start(state: ServerState): void {
    this.#state = state;
    for (const prefix of watched) {
      const onChange = ({ current, previous }: Change): void =>
        this.#serviceChanged((current ?? previous)?.key ?? "");
      this.#watching.push(state.cache.resource(prefix).watch({ prefix, onChange }));
    }
    if (this.#index.size > 0) this.#lookAtAll();
  }

  /** Counts what changes discovery. */
  get generation(): number {
    return this.#generation;
  }

  get size(): number {
    return this.#index.size;
  }

  all(): readonly Extension[] {
    return [...this.#index.all()];
  }

  /** The extension server that a request is for; undefined for all that this server answers itself. */
  of(info: RequestInfo): Extension | undefined {
    if (this.#index.size === 0) return undefined;
    if (info.isResource) return this.#index.find(info.group, info.version);
    const [root, group = "", version, more] = info.path.split("/").filter(Boolean);
    if (root !== "apis" || version === undefined || more !== undefined) return undefined;
    return this.#index.find(group, version);
  }

  /** What an extension server serves; undefined while it never answered. */
  resourcesOf({ name }: Extension): readonly Discoverable[] | undefined {
    return this.#resources.get(name);
  }

  [Symbol.dispose](): void {
    this.#state = undefined;
    this.#cancelTimer?.();
    this.#index[Symbol.dispose]();
    for (const watching of this.#watching) watching[Symbol.dispose]();
  }

  #serviceChanged(key: string): void {
    for (const extension of this.#index.all()) {
      const { namespace, name } = extension.service;
      if (key.includes(`/${namespace}/${name}`)) void this.#lookAt(extension);
    }
  }

  #lookAtAll(): void {
    this.#generation += 1;
    const names = new Set(Array.from(this.#index.all(), ({ name }) => name));
    for (const name of this.#resources.keys()) if (!names.has(name)) this.#resources.delete(name);
    for (const extension of this.#index.all()) void this.#lookAt(extension);
    this.#schedule();
  }

  /** A server that dies changes nothing that could be watched: while there are any, they are asked now and then. */
  #schedule(): void {
    this.#cancelTimer?.();
    if (this.#index.size === 0) return;
    this.#cancelTimer = this.#state?.clock.after(intervalMs, () => this.#lookAtAll());
  }

  /** One look at a time; a change meanwhile makes another one necessary. */
  async #lookAt(extension: Extension): Promise<void> {
    const state = this.#state;
    if (state === undefined) return;
    const { name, group, version } = extension;
    if (this.#looking.has(name)) return void this.#again.add(name);
    this.#looking.add(name);
    try {
      await this.#look(state, extension);
    } catch (error) {
      if (!state.stopped.aborted) state.log.error("API service was not checked", { name, error });
    }
    this.#looking.delete(name);
    if (!this.#again.delete(name)) return;
    const current = this.#index.find(group, version);
    if (current !== undefined) void this.#lookAt(current);
  }

  async #look(state: ServerState, extension: Extension): Promise<void> {
    await Promise.resolve();
    const { finding, resources } = await lookAt(state, extension);
    if (state.stopped.aborted) return;
    if (resources !== undefined) this.#keep(extension, resources);
    const { name, available } = extension;
    if (available && finding.status !== "True") {
      this.#failures.add({ name, reason: finding.reason ?? "" });
    }
    await note(state, name, finding);
  }

  #keep(extension: Extension, list: JsonObject): void {
    const found = discoverablesOf(extension, list);
    const before = this.#resources.get(extension.name);
    if (JSON.stringify(before) === JSON.stringify(found)) return;
    this.#resources.set(extension.name, found);
    this.#generation += 1;
  }
}

/** As often as upstream looks again. */
const intervalMs = 30_000;

const watched = [
  resourcePrefix({ group: "", resource: "services" }),
  resourcePrefix({ group: "discovery.k8s.io", resource: "endpointslices" }),
];
