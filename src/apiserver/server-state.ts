import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Store } from "#storage/store.ts";
import type { Admission } from "#apiserver/admission/admission-chain.ts";
import type { Auditor } from "#apiserver/audit/auditor.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import type { StoreCache } from "#apiserver/cache/store-cache.ts";
import type { Fairness } from "#apiserver/fairness/fairness.ts";
import type { Extensions } from "#apiserver/aggregation/extensions.ts";
import type { ConversionMetrics } from "#apiserver/custom/conversion/conversion-metrics.ts";
import type { ServerMetrics } from "#apiserver/metrics.ts";
import type { ResourceHooks } from "#apiserver/hooks/resource-hooks.ts";
import type { Kind } from "#api/kind.ts";
import type { ComputedKind } from "#apiserver/computed-kind.ts";
import type { KindRegistry } from "#apiserver/kind-registry.ts";
import type {
  LoginPage,
  OpenApiFiles,
  Profiler,
  TokenIssuer,
  TokenDiscovery,
  TokenReviewer,
} from "#apiserver/parts.ts";
import type { VersionInfo } from "#apiserver/endpoints/version.ts";
import type { KeyQueue } from "#apiserver/objects/key-queue.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";
import type { BookmarkTicker } from "#apiserver/verbs/bookmark-ticker.ts";
import type { WatchDispatcher } from "#apiserver/verbs/watch-dispatcher.ts";
import type { WatchItems } from "#apiserver/verbs/watch-items.ts";

/** What every step of the pipeline may use. One for each server. */
export interface ServerState {
  readonly store: Store;
  readonly cache: StoreCache;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly authorizer: Authorizer;
  readonly admission: Admission;
  readonly conversions: ConversionMetrics;
  readonly extensions: Extensions;
  readonly fairness: Fairness;
  readonly hooks: ResourceHooks;
  readonly metrics: ServerMetrics;
  readonly bookmarks: BookmarkTicker;
  readonly watchItems: WatchItems;
  readonly watchDispatcher: WatchDispatcher;
  readonly audit: Auditor | undefined;
  readonly login: LoginPage | undefined;
  readonly tokens: TokenIssuer | undefined;
  readonly tokenReviewer: TokenReviewer | undefined;
  readonly tokenDiscovery: TokenDiscovery | undefined;
  readonly openApi: OpenApiFiles | undefined;
  readonly profiler: Profiler | undefined;
  /** Absent: webhooks and extension servers cannot be reached. */
  readonly outgoing: Outgoing | undefined;
  readonly version: VersionInfo;
  readonly writers: KeyQueue;
  /** Kinds that are nowhere stored. */
  readonly computed: ReadonlyMap<Kind, ComputedKind>;
  /** Aborted when the server stops: ends watches. */
  readonly stopped: AbortSignal;
}
