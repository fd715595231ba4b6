import type { Clock } from "#base/clock.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Store } from "#storage/store.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { AdmissionChoice } from "#apiserver/admission/admission-order.ts";
import type { Auditor } from "#apiserver/audit/auditor.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import type { AuthorizerOrder } from "#apiserver/rbac/access-control.ts";
import type { ReadNodeSummary } from "#apiserver/metrics-api/node-summary.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";
import type { VersionInfo } from "#apiserver/endpoints/version.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "#apiserver/request.ts";

/** What a server is made of. */
export interface ApiServerParts {
  readonly store: Store;
  /** Whether other servers use the store too. */
  readonly isShared?: boolean;
  readonly kinds: readonly Kind[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Which admission plugins act; default: those that upstream has on. */
  readonly admission?: AdmissionChoice;
  /** Instead of all access control: for tests of other things. */
  readonly authorizer?: Authorizer;
  /** Default: nodes, then role-based access control. */
  readonly authorizers?: AuthorizerOrder;
  readonly serviceNetwork: ServiceNetwork;
  /** Absent: `serviceaccounts/token` says that no tokens are issued. */
  readonly tokens?: TokenIssuer;
  /** Absent: nobody learns here how to check the tokens. */
  readonly tokenDiscovery?: TokenDiscovery;
  /** Absent: every `TokenReview` answers that the token is unknown. */
  readonly tokenReviewer?: TokenReviewer;
  /** Absent: `/openapi` answers 404. */
  readonly openApi?: OpenApiFiles;
  /** What `/version` answers. */
  readonly version?: VersionInfo;
  /** Absent: no record is kept of who asked for what. */
  readonly audit?: Auditor;
  /** Absent: nobody logs in here. */
  readonly login?: LoginPage;
  /**
   * Whether webhooks and policies wait for `ApiServer.startAdmission`, so that more can be written without them that the
   * cluster needs. Until then no requests of others may be handed in. Default false.
   */
  readonly admissionLater?: boolean;
  /** Absent: webhooks cannot be called, and what depends on them is refused. */
  readonly outgoing?: Outgoing;
  /** Asks a node for its statistics. Absent: `metrics.k8s.io` is not served. */
  readonly nodeSummary?: ReadNodeSummary;
  /** Absent: `/debug/pprof` answers 404. */
  readonly profiler?: Profiler;
  /** Where the server's metrics are kept; main adds those of the process. */
  readonly metrics?: MetricsRegistry;
  /** Content of `kube-system/extension-apiserver-authentication`; absent: it is not made. */
  readonly clientAuthentication?: ClientAuthentication;
}

/** Where people get a token who have none; everybody may ask. */
export interface LoginPage {
  readonly path: string;
  /** May reject with a `StatusError`. */
  answer(request: ApiRequest): Promise<ApiResponse>;
}

/** What servers that extend the API need to know in order to tell who asks. */
export interface ClientAuthentication {
  readonly clientCaPem: string;
  /** Signed the certificate with which this server names users in headers, and the name in that certificate. */
  readonly frontProxy?: { readonly caPem: string; readonly name: string };
}

export interface ServiceNetwork {
  /** Where ClusterIPs come from: `10.96.0.0/16`. The first address is the API server's own. */
  readonly serviceCidr: string;
  /** Both ends belong to it. Default 30000 to 32767. */
  readonly nodePorts?: { readonly from: number; readonly to: number };
  /** Where pods reach the API server: the endpoints of `default/kubernetes`. Absent: no endpoints are kept. */
  readonly apiServerAddress?: { readonly ip: string; readonly port: number };
}

export interface TokenIssuer {
  /** Answers a signed token for a service account. `expiresAt` in milliseconds. */
  issue(claims: TokenClaims): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
}

/** What others need to check tokens by themselves, as OpenID Connect Discovery has it. */
export interface TokenDiscovery {
  readonly configuration: () => Promise<JsonObject>;
  /** The public keys, as a JSON Web Key Set. */
  readonly jwks: () => Promise<JsonObject>;
}

export interface TokenClaims {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  /** Empty: the API server's own audience. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundTo?: { readonly kind: string; readonly name: string; readonly uid: string };
  /** Set when the token is bound to a pod that is on a node. */
  readonly node?: { readonly name: string; readonly uid: string };
}

export interface TokenReviewer {
  review(
    token: string,
    audiences: readonly string[],
  ): Promise<{ readonly user: UserInfo; readonly audiences: readonly string[] } | undefined>;
}

/** The OpenAPI documents that are built with the package. */
export interface OpenApiFiles {
  /** `/openapi/v2` as JSON. */
  v2(): Promise<OpenApiDocument>;
  /** The same document in `proto-openapi`, for clients that would rather have that. */
  v2Protobuf?(): Promise<OpenApiDocument>;
  /** The paths of version 3 (`api/v1`, `apis/apps/v1`) with the hash of each document. */
  v3Index(): Promise<ReadonlyMap<string, string>>;
  v3(path: string): Promise<OpenApiDocument | undefined>;
}

/** Takes profiles of the process, as JSON; ends early when the signal is aborted. */
export interface Profiler {
  readonly cpu: (durationMs: number, signal: AbortSignal) => Promise<string>;
  readonly heap: (durationMs: number, signal: AbortSignal) => Promise<string>;
}

export interface OpenApiDocument {
  readonly bytes: Uint8Array;
  /** Changes with the content; without quotes. */
  readonly hash: string;
}
