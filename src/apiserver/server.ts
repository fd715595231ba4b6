import { StatusError, badRequest, internalError, unauthorized } from "#api/status.ts";
import type { Kind } from "#api/kind.ts";
import { createAdmission } from "#apiserver/admission/admission-chain.ts";
import { startPolicyStatus } from "#apiserver/admission/policies/policy-status.ts";
import { ServiceAllocator } from "#apiserver/allocation/service-allocator.ts";
import { SharedClaims } from "#apiserver/allocation/shared-claims.ts";
import { attributesOf, authorize } from "#apiserver/authorize.ts";
import { bootstrap } from "#apiserver/bootstrap/bootstrap.ts";
import { startServerAddresses } from "#apiserver/bootstrap/server-addresses.ts";
import { startCustomResources } from "#apiserver/custom/custom-resources.ts";
import { Extensions } from "#apiserver/aggregation/extensions.ts";
import { startLocalServices } from "#apiserver/aggregation/local-services.ts";
import { passOn } from "#apiserver/aggregation/pass-on.ts";
import { ConversionMetrics } from "#apiserver/custom/conversion/conversion-metrics.ts";
import { definitionHook } from "#apiserver/custom/definition-hook.ts";
import { createStoreCache } from "#apiserver/cache/store-cache.ts";
import { startCompaction } from "#apiserver/compaction.ts";
import { encodeRefusal } from "#apiserver/content/refusal.ts";
import { startEventExpiry } from "#apiserver/event-expiry.ts";
import type { Flow } from "#apiserver/fairness/configuration.ts";
import { Fairness } from "#apiserver/fairness/fairness.ts";
import { maintainFlowControl } from "#apiserver/fairness/maintain-objects.ts";
import { answerTooMany, classified, takeSeat } from "#apiserver/fairness/take-seat.ts";
import { dispatch } from "#apiserver/dispatch.ts";
import { answerPath } from "#apiserver/endpoints/endpoints.ts";
import { unnamedVersion } from "#apiserver/endpoints/version.ts";
import { builtinHooks } from "#apiserver/hooks/builtin-hooks.ts";
import { impersonate } from "#apiserver/impersonate.ts";
import { InFlight, isLongRunning } from "#apiserver/in-flight.ts";
import { KindRegistry } from "#apiserver/kind-registry.ts";
import { metricsApi } from "#apiserver/metrics-api/metrics-api.ts";
import { measuredStore } from "#apiserver/measured-store.ts";
import { expressionMetrics } from "#apiserver/expression-metrics.ts";
import { createServerMetrics } from "#apiserver/metrics.ts";
import { observe, type Observed } from "#apiserver/observe-request.ts";
import { KeyQueue } from "#apiserver/objects/key-queue.ts";
import type { ApiServerParts } from "#apiserver/parts.ts";
import { createAccessControl } from "#apiserver/rbac/access-control.ts";
import { startAggregation } from "#apiserver/rbac/aggregation.ts";
import { storeRefusal } from "#apiserver/refusals.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";
import { RequestDeadlines, timeoutOf } from "#apiserver/request-deadline.ts";
import { nonResource, requestInfo, type RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { visibleNamespaces } from "#apiserver/visible-namespaces/visible-namespaces.ts";
import { BookmarkTicker } from "#apiserver/verbs/bookmark-ticker.ts";
import { WatchDispatcher } from "#apiserver/verbs/watch-dispatcher.ts";
import { WatchItems } from "#apiserver/verbs/watch-items.ts";

/** A whole API server without its sockets: a request in, an answer or a stream out. */
export interface ApiServer extends AsyncDisposable {
  /** Never rejects for what a request did wrong: that is a `Status` in the answer. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** The answer (401) to a request whose sender could not be told; `attempted` are the ways in which it tried to say. */
  refuseStranger(request: ApiRequest, attempted: readonly string[]): ApiResponse;
  /** From now on webhooks and policies have their say, where `admissionLater` has held them back. */
  startAdmission(): void;
  /** Serves another kind from now on: a custom resource that was defined. */
  addKind(kind: Kind): void;
  removeKind(kind: Kind): void;
}

/** Resolves when the cache is loaded and what every cluster has is there. */
export async function createApiServer(parts: ApiServerParts): Promise<ApiServer> {
  const stop = new AbortController();
  const state = await createState(parts, stop.signal);
  await bootstrap(state, parts);
  const address = parts.serviceNetwork.apiServerAddress;
  const addresses =
    parts.isShared && address ? await startServerAddresses(state, address) : undefined;
  const flowControl = await maintainFlowControl(state);
  const localServices = await startLocalServices(state);
  if (!parts.admissionLater) state.admission.start();
  state.extensions.start(state);
  const expressions = expressionMetrics(state.metrics.registry, state.clock);
  const stopCompaction = startCompaction(state);
  const stopExpiry = startEventExpiry(state);
  const customResources = startCustomResources(state);
  const policyStatus = startPolicyStatus(state);
  const aggregation = startAggregation(state);
  const inFlight = new InFlight(state.metrics);
  const deadlines = new RequestDeadlines(parts.clock);
  return {
    handle: (request) => handle({ state, inFlight, deadlines }, request),
    refuseStranger: (request, attempted) => refuseStranger(state, request, attempted),
    startAdmission: () => state.admission.start(),
    addKind: (kind) => state.kinds.add(kind),
    removeKind: (kind) => state.kinds.remove(kind),
    [Symbol.asyncDispose]: async () => {
      await addresses?.[Symbol.asyncDispose]();
      stop.abort();
      state.admission[Symbol.dispose]();
      state.extensions[Symbol.dispose]();
      localServices[Symbol.dispose]();
      flowControl[Symbol.dispose]();
      state.fairness[Symbol.dispose]();
      stopCompaction();
      stopExpiry();
      customResources[Symbol.dispose]();
      policyStatus[Symbol.dispose]();
      expressions[Symbol.dispose]();
      aggregation[Symbol.dispose]();
      await state.cache[Symbol.asyncDispose]();
    },
  };
}

async function createState(parts: ApiServerParts, stopped: AbortSignal): Promise<ServerState> {
  const { store, clock, random, log } = parts;
  const cache = await createStoreCache({ store, log, clock });
  const services = new ServiceAllocator(parts.serviceNetwork, random);
  services.follow(cache);
  const access = createAccessControl(cache, clock, parts.authorizers);
  const metrics = createServerMetrics(cache, parts.metrics);
  const { nodeSummary } = parts;
  const authorizer = parts.authorizer ?? access.authorizer;
  const computed = [
    visibleNamespaces({ cache, authorizer, grants: access.grants }),
    ...(nodeSummary ? metricsApi(cache, { read: nodeSummary, clock, log }) : []),
  ];
  return {
    store: measuredStore(store, clock, metrics.registry),
    cache,
    clock,
    random,
    log,
    stopped,
    kinds: new KindRegistry([...parts.kinds, ...computed.map(({ kind }) => kind)]),
    computed: new Map(computed.map((source) => [source.kind, source])),
    authorizer,
    admission: createAdmission({
      access,
      cache,
      clock,
      log,
      metrics: metrics.registry,
      choice: parts.admission,
    }),
    conversions: new ConversionMetrics(metrics.registry),
    extensions: new Extensions(cache, metrics.registry),
    fairness: new Fairness({ cache, clock, metrics: metrics.registry }),
    hooks: new Map([
      ...builtinHooks(parts.isShared ? new SharedClaims(services) : services),
      ["apiextensions.k8s.io/customresourcedefinitions", definitionHook],
    ]),
    metrics,
    bookmarks: new BookmarkTicker(clock),
    watchItems: new WatchItems(),
    watchDispatcher: new WatchDispatcher(),
    version: parts.version ?? unnamedVersion,
    writers: new KeyQueue(),
    audit: parts.audit,
    login: parts.login,
    tokens: parts.tokens,
    tokenDiscovery: parts.tokenDiscovery,
    tokenReviewer: parts.tokenReviewer,
    openApi: parts.openApi,
    profiler: parts.profiler,
    outgoing: parts.outgoing,
  };
}

function refuseStranger(
  state: ServerState,
  request: ApiRequest,
  attempted: readonly string[],
): ApiResponse {
  const observed = observe(state, { ...request, user: { name: "", groups: [] } });
  const { method, path, query } = request;
  observed.named(requestInfo(method, path, query) ?? nonResource(method, path));
  const refusal = unauthorized();
  const shown =
    attempted.length === 0 ? "no credentials provided" : `attempted: ${attempted.join(", ")}`;
  const status = { ...refusal.status, message: `Authentication failed, ${shown}` };
  return observed.answered(encodeRefusal(request, refusal), status);
}

interface Serving {
  readonly state: ServerState;
  readonly inFlight: InFlight;
  readonly deadlines: RequestDeadlines;
}

interface Answering {
  readonly observed: Observed;
  /** How the request was classified, once it is. */
  flow: Flow | undefined;
}

async function handle(serving: Serving, request: ApiRequest): Promise<ApiResponse> {
  const observed = observe(serving.state, request);
  const answering: Answering = { observed, flow: undefined };
  try {
    const response = await answer(serving, request, answering);
    return observed.answered(classified(response, answering.flow));
  } catch (error) {
    const tooMany = answerTooMany(error);
    if (tooMany !== undefined) return observed.answered(tooMany);
    const refusal = refusalOf(serving.state, request, error);
    const response = classified(encodeRefusal(request, refusal), answering.flow);
    return observed.answered(response, refusal.status);
  }
}

function answer(serving: Serving, request: ApiRequest, answering: Answering): Promise<ApiResponse> {
  const { method, path, query } = request;
  const info = requestInfo(method, path, query);
  answering.observed.named(info ?? nonResource(method, path));
  if (info === undefined) throw badRequest("the path of the request cannot be decoded");
  // Who calls from within the process waits as long as it likes.
  if (request.answer === "objects" || isLongRunning(info)) {
    return carryOut(serving, request, { info, answering });
  }
  const timeoutMs = timeoutOf(query);
  return serving.deadlines.within(timeoutMs, carryOut(serving, request, { info, answering }));
}

async function carryOut(
  { state, inFlight }: Serving,
  request: ApiRequest,
  { info, answering }: { readonly info: RequestInfo; readonly answering: Answering },
): Promise<ApiResponse> {
  const { observed } = answering;
  const { path, query } = request;
  if (path === state.login?.path) return await state.login.answer(request);
  const becoming = impersonate(state.authorizer, request, info);
  const user = becoming instanceof Promise ? await becoming : becoming;
  observed.carriedOutAs(user);
  const taking = takeSeat(state, { request, info, user });
  const seat = taking instanceof Promise ? await taking : taking;
  answering.flow = seat?.flow;
  inFlight.change(info, 1);
  try {
    const asking = authorize(state.authorizer, attributesOf(user, info, query), (decision) =>
      observed.decided(decision),
    );
    if (asking !== undefined) await asking;
    const extension = state.extensions.of(info);
    if (extension !== undefined) return await passOn(state, { request, user, extension });
    if (!info.isResource) return await answerPath(state, request);
    return await dispatch(state, { request, info, user });
  } finally {
    inFlight.change(info, -1);
    seat?.leave();
  }
}

/** What is no refusal is a bug or a failing store: the caller learns that, the log learns what. */
function refusalOf(state: ServerState, request: ApiRequest, error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  const { method, path } = request;
  state.log.error("request failed", { method, path, error });
  return (
    storeRefusal(error) ?? internalError(error instanceof Error ? error.message : "unknown error")
  );
}
