import type { Clock } from "#base/clock.ts";
import type { FlowSchema, PriorityLevelConfiguration } from "#api/generated/types.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import {
  defaultFlowControl,
  flowControlGroup,
} from "#api/strategies/flowcontrol/default-objects.ts";
import { matchesFlow } from "#apiserver/fairness/match-flow.ts";
import { levelSettings, PriorityLevel } from "#apiserver/fairness/priority-level.ts";
import type { PhaseLimits } from "#apiserver/fairness/reads-and-writes.ts";
import type { Headers, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/** One flow schema, and the level that its requests are of. */
export interface Flow {
  readonly schema: FlowSchema;
  readonly name: string;
  readonly uid: string;
  readonly level: PriorityLevel;
  /** Tell a client how its request was classified, by names that say nothing. */
  readonly headers: Headers;
  readonly counts: FlowCounts;
}

/** What there is of a flow schema in one level; kept while its objects change. */
export interface FlowCounts {
  dispatched: number;
  executing: number;
  seatsInUse: number;
  waiting: number;
  seatsWaiting: number;
}

export const schemasPrefix = resourcePrefix({ group: flowControlGroup, resource: "flowschemas" });
export const levelsPrefix = resourcePrefix({
  group: flowControlGroup,
  resource: "prioritylevelconfigurations",
});

/** The stored flow schemas and levels, in place of those that are not stored yet the default ones. */
export class Configuration {
  readonly #cache: StoreCache;
  readonly #clock: Clock;
  readonly #seats: number;
  readonly #levels = new Map<string, PriorityLevel>();
  #flows: readonly Flow[] = [];
  #isStale = true;

  constructor(parts: { cache: StoreCache; clock: Clock; seats: number }) {
    this.#cache = parts.cache;
    this.#clock = parts.clock;
    this.#seats = parts.seats;
  }

  /** Some of the objects have changed; they are read again when somebody asks. */
  changed(): void {
    this.#isStale = true;
  }

  get flows(): readonly Flow[] {
    if (this.#isStale) this.#load();
    return this.#flows;
  }

  levels(): readonly PriorityLevel[] {
    if (this.#isStale) this.#load();
    return [...this.#levels.values()];
  }

  /** How many requests may wait and be carried out, by shares alone. */
  limits(): PhaseLimits {
    const levels = this.levels();
    const executing = levels.reduce((sum, { nominal }) => sum + nominal, 0);
    return {
      waiting: levels.reduce((sum, { waitingMax }) => sum + waitingMax, 0),
      executing: Math.max(1, executing),
    };
  }

  /** The last schema takes everybody. */
  flowOf(user: UserInfo, info: RequestInfo): Flow | undefined {
    const { flows } = this;
    for (const flow of flows) if (matchesFlow(flow.schema, user, info)) return flow;
    return flows.at(-1);
  }

  #load(): void {
    this.#isStale = false;
    this.#loadLevels(this.#clock.now());
    const before = new Map(this.#flows.map((flow) => [countsKey(flow.name, flow.level), flow]));
    const flows = this.#stored<FlowSchema>(schemasPrefix, "FlowSchema").flatMap((schema) => {
      const level = this.#levels.get(schema.spec?.priorityLevelConfiguration.name ?? "");
      const { name = "", uid = "" } = schema.metadata;
      if (level === undefined) return [];
      const counts = before.get(countsKey(name, level))?.counts ?? noCounts();
      return [{ schema, name, uid, level, headers: headersOf(uid, level), counts }];
    });
    this.#flows = flows.toSorted(byPrecedence);
  }

  #loadLevels(nowMs: number): void {
    const stored = this.#stored<PriorityLevelConfiguration>(
      levelsPrefix,
      "PriorityLevelConfiguration",
    );
    for (const object of stored) {
      const { name = "", uid = "" } = object.metadata;
      const settings = levelSettings(object);
      const level = this.#levels.get(name) ?? new PriorityLevel(name, settings, nowMs);
      level.configure(settings, nowMs);
      level.uid = uid;
      this.#levels.set(name, level);
    }
    const names = new Set(stored.map(({ metadata }) => metadata.name ?? ""));
    for (const level of this.#levels.values()) {
      const isUnused = level.executing === 0 && level.waiting === 0;
      if (!names.has(level.name) && isUnused) this.#levels.delete(level.name);
    }
    this.#divide(nowMs);
  }

  /** Each level its part of all seats, as its shares say. */
  #divide(nowMs: number): void {
    const levels = [...this.#levels.values()];
    const shares = levels.reduce((sum, { settings }) => sum + settings.shares, 0);
    for (const level of levels) {
      const { settings } = level;
      const nominal = shares === 0 ? 0 : Math.ceil((this.#seats * settings.shares) / shares);
      const lendable = Math.round((nominal * settings.lendablePercent) / 100);
      const { borrowingLimitPercent: percent } = settings;
      const upper = percent === undefined ? this.#seats : Math.round((nominal * percent) / 100);
      level.measureUntil(nowMs);
      level.measureMin = Math.max(1, Math.round(this.#seats / 10));
      const isSame = level.nominal === nominal && level.lower === nominal - lendable;
      level.nominal = nominal;
      level.lower = nominal - lendable;
      level.upper = nominal + upper;
      if (!isSame) level.current = nominal - Math.floor(lendable / 2);
    }
  }

  #stored<T extends { readonly metadata: { readonly name?: string } }>(
    prefix: string,
    kind: string,
  ): readonly T[] {
    const stored = this.#cache
      .resource(prefix)
      .list(prefix)
      .map(({ object }) => object as unknown as T);
    const names = new Set(stored.map(({ metadata }) => metadata.name));
    const missing = defaultFlowControl().filter(
      ({ object, name }) => object.kind === kind && !names.has(name),
    );
    return [...stored, ...missing.map(({ object }) => object as unknown as T)];
  }
}

function countsKey(name: string, level: PriorityLevel): string {
  return `${name} ${level.name}`;
}

function noCounts(): FlowCounts {
  return { dispatched: 0, executing: 0, seatsInUse: 0, waiting: 0, seatsWaiting: 0 };
}

function headersOf(uid: string, level: PriorityLevel): Headers {
  return [
    ["x-kubernetes-pf-flowschema-uid", uid],
    ["x-kubernetes-pf-prioritylevel-uid", level.uid],
  ];
}

function byPrecedence(a: Flow, b: Flow): number {
  const [first = 0, second = 0] = [a, b].map(({ schema }) => schema.spec?.matchingPrecedence ?? 0);
  return first - second || (a.name < b.name ? -1 : 1);
}
