import type { Node } from "#api/generated/types.ts";

/**
 * How fast pods are taken from nodes that fell silent. When a whole zone falls silent the fault may well be the
 * network's: a zone that is mostly silent loses its pods slowly or not at all, and when all zones are silent nobody is
 * evicted.
 */
export type ZoneState = "Normal" | "PartialDisruption" | "FullDisruption";

/** One node in ten seconds; in a large zone in trouble one in a hundred; in a small one none. */
const normalEveryMs = 10_000;
const slowEveryMs = 100_000;
const largeZoneMin = 50;
const unhealthyShare = 0.55;
const unhealthyMin = 3;

export function zoneOf({ metadata }: Node): string {
  const { labels = {} } = metadata;
  const region =
    labels["topology.kubernetes.io/region"] ??
    labels["failure-domain.beta.kubernetes.io/region"] ??
    "";
  const zone =
    labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"] ?? "";
  return region === "" && zone === "" ? "" : `${region}:\u0000:${zone}`;
}

export function zoneState(readyCount: number, unreadyCount: number): ZoneState {
  if (readyCount === 0 && unreadyCount > 0) return "FullDisruption";
  const share = unreadyCount / (unreadyCount + readyCount);
  const isPartial = unreadyCount >= unhealthyMin && share >= unhealthyShare;
  return isPartial ? "PartialDisruption" : "Normal";
}

/** How long after one node of the zone the next may lose its pods; undefined: none may. */
export function evictionEveryMs(
  zone: { readonly state: ZoneState; readonly nodeCount: number },
  allFull: boolean,
): number | undefined {
  if (allFull) return undefined;
  if (zone.state !== "PartialDisruption") return normalEveryMs;
  return zone.nodeCount > largeZoneMin ? slowEveryMs : undefined;
}

export interface ZonedNode {
  readonly zone: string;
  readonly isReady: boolean;
}

/** Lets nodes lose their pods one after another, as the state of their zone allows. */
export class EvictionPace {
  readonly #nodes = new Map<string, ZonedNode>();
  readonly #counts = new Map<string, { ready: number; unready: number }>();
  readonly #lastMs = new Map<string, number>();

  /** Notes how a node is; undefined: it is gone. Returns whether the state of any zone changed. */
  note(name: string, node: ZonedNode | undefined): boolean {
    const before = this.#nodes.get(name);
    if (before?.zone === node?.zone && before?.isReady === node?.isReady) return false;
    const states = (): string => [before?.zone, node?.zone].map((zone) => this.#state(zone)).join();
    const [state, full] = [states(), this.#allFull()];
    if (before) this.#count(before, -1);
    if (node) {
      this.#count(node, 1);
      this.#nodes.set(name, node);
    } else this.#nodes.delete(name);
    return states() !== state || this.#allFull() !== full;
  }

  /** 0: the node may lose its pods now, and that is noted. Otherwise when to ask again; undefined: not as things are. */
  take(zone: string, nowMs: number): number | undefined {
    const { ready = 0, unready = 0 } = this.#counts.get(zone) ?? {};
    const state = zoneState(ready, unready);
    const everyMs = evictionEveryMs({ state, nodeCount: ready + unready }, this.#allFull());
    if (everyMs === undefined) return undefined;
    const waitMs = (this.#lastMs.get(zone) ?? -Infinity) + everyMs - nowMs;
    if (waitMs > 0) return waitMs;
    this.#lastMs.set(zone, nowMs);
    return 0;
  }

  /** Whether no zone has a node that is ready: then the fault is ours rather than theirs. */
  allFull(): boolean {
    return this.#allFull();
  }

  #allFull(): boolean {
    for (const { ready } of this.#counts.values()) if (ready > 0) return false;
    return this.#counts.size > 0;
  }

  #state(zone: string | undefined): string {
    const counts = zone === undefined ? undefined : this.#counts.get(zone);
    return counts ? zoneState(counts.ready, counts.unready) : "";
  }

  #count({ zone, isReady }: ZonedNode, by: number): void {
    const counts = this.#counts.get(zone) ?? { ready: 0, unready: 0 };
    if (isReady) counts.ready += by;
    else counts.unready += by;
    if (counts.ready + counts.unready === 0) this.#counts.delete(zone);
    else this.#counts.set(zone, counts);
  }
}
