import { Agent } from "node:https";
import { hostname } from "node:os";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Secret } from "#api/generated/types.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { randomUid, type Random } from "#base/random.ts";
import type { JsonObject } from "#api/kind.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { openApiFiles } from "#api/node/openapi-files.ts";
import { endpointSlices, nodes, pods, secrets, serviceAccounts } from "#api/resources.ts";
import type { Resource } from "#api/resource.ts";
import { ifFound } from "#api/status.ts";
import { uidOf } from "#api/meta.ts";
import type { AdmissionChoice } from "#apiserver/admission/admission-order.ts";
import type { Auditor } from "#apiserver/audit/auditor.ts";
import { createApiServer } from "#apiserver/server.ts";
import type { ApiServer } from "#apiserver/server.ts";
import type { UserInfo } from "#apiserver/request.ts";
import { createProfiler } from "#apiserver/node/profiler.ts";
import { createConnector } from "#apiserver/node/connect/connector.ts";
import type { ConnectorParts } from "#apiserver/node/connect/connector.ts";
import { summaryReader } from "#apiserver/node/connect/node-summary.ts";
import { createOutgoing } from "#apiserver/node/outgoing/outgoing.ts";
import { startHttpsServer } from "#apiserver/node/https-server.ts";
import type { Authority } from "#apiserver/node/pki/authority.ts";
import { frontProxyName, type Pki } from "#apiserver/node/pki/pki-directory.ts";
import { tokenKeysPath } from "#apiserver/endpoints/token-discovery.ts";
import { createBootstrapAuthenticator } from "#apiserver/node/tokens/bootstrap-tokens.ts";
import {
  createTokenSigner,
  createTokenVerifier,
} from "#apiserver/node/tokens/service-account-tokens.ts";
import { createTokenDiscovery } from "#apiserver/node/tokens/token-discovery.ts";
import type { VerifierParts } from "#apiserver/node/tokens/service-account-tokens.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformers } from "#client/informers.ts";
import type { Informers } from "#client/informers.ts";
import { createQueueMetrics } from "#reconcile/queue-metrics.ts";
import { createControllers } from "#controllers/controllers.ts";
import type { ProfileOptions } from "#scheduler/profiles.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { openLogins, reviewerOfAll } from "#main/logins.ts";
import type { AuditParts } from "#main/audit.ts";
import { versionInfo } from "#main/build-info.ts";
import { ensureJoiningObjects } from "#main/joining-objects.ts";
import { FrontDoor } from "#main/front-door.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { registerProcessMetrics } from "#main/process-metrics.ts";
import { serviceEndpoint } from "#main/service-endpoint.ts";
import { firstAddress } from "#main/cidr.ts";
import { runElected, type ElectedParts } from "#main/elected.ts";
import type { Store } from "#storage/store.ts";

export interface ControlPlaneOptions {
  readonly store: Store;
  /** Whether other servers use the store too: controllers and scheduler then run in one of them. */
  readonly isShared?: boolean;
  readonly pki: Pki;
  /** Where the API listens; port 0: the kernel chooses. */
  readonly host: string;
  readonly port: number;
  /** Where nodes and pods reach the API. */
  readonly advertiseIp: string;
  /** More names and addresses by which clients may call the server. */
  readonly serverNames: readonly string[];
  readonly serverIps: readonly string[];
  readonly serviceCidr: string;
  /** Which admission plugins act; default: those that upstream has on. */
  readonly admission?: AdmissionChoice;
  /** The pods' addresses; nodes that say no range of their own get one of these. */
  readonly podCidr: string;
  /** Files and addresses of who else logs people in and decides on access. */
  readonly flags?: ServerFlags;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A running API server with its controllers and scheduler. Disposing of it leaves the store open. */
export interface ControlPlane extends AsyncDisposable {
  readonly server: ApiServer;
  readonly port: number;
  /** What is shared by everything in this process. */
  readonly client: Client;
  readonly informers: Informers;
  /** A client in this process that acts as somebody else. */
  readonly clientFor: (user: UserInfo, userAgent: string) => Client;
}

export const tokenIssuer = "https://kubernetes.default.svc.cluster.local";
const administrator: UserInfo = {
  name: "system:kogge",
  groups: ["system:masters", "system:authenticated"],
};

const schedulerUser: UserInfo = {
  name: "system:kube-scheduler",
  groups: ["system:authenticated"],
};

/** Each controller has the role of upstream's controller of that name, and nothing more. */
function controllerUser(account: string): UserInfo {
  const groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system"];
  return {
    name: `system:serviceaccount:kube-system:${account}`,
    groups: [...groups, "system:authenticated"],
  };
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { store, pki, clock, random, log } = options;
  await using started = new AsyncDisposableStack();
  const stop = new AbortController();
  started.defer(() => stop.abort());
  const signing = { key: pki.serviceAccountKey, issuer: tokenIssuer, clock };
  const verifier = createTokenVerifier({ ...signing, uidOf: (...at) => lookUpUid(client, ...at) });
  const metrics = new MetricsRegistry();
  registerProcessMetrics(metrics);
  const queueMetrics = createQueueMetrics(metrics, clock);
  const door = new FrontDoor();
  const connector = connectorParts(pki, () => client);
  const outgoing = started.use(createOutgoing(pki.frontProxy()));
  const bootstrapTokens = createBootstrapAuthenticator({
    clock,
    secret: (name) => bootstrapSecret(client, name),
  });
  const loginParts = {
    flags: options.flags ?? {},
    outgoing,
    key: pki.serviceAccountKey,
    ownIssuer: tokenIssuer,
    metrics,
    clock,
    log: log.with({ part: "access" }),
  };
  const { authentication, authorizers, passwords } = await openLogins(loginParts, started);
  const audit = await auditFor(options, { outgoing, metrics, clock, log }, started);
  const otherTokens = [bootstrapTokens, ...authentication.tokens];
  const https = await startHttpsServer({
    handle: (request) => door.handle(request),
    refuseStranger: (...refused) => door.refuseStranger(...refused),
    ...servingCertificate(options),
    clientAuthority: pki.authority.certificate,
    tokens: [verifier.authenticate, ...otherTokens],
    allowsAnonymous: authentication.allowsAnonymous,
    connector: createConnector(connector),
    host: options.host,
    port: options.port,
    log: log.with({ part: "https" }),
  });
  started.use(https);
  const reach = options.host.startsWith("127.") ? options.host : options.advertiseIp;
  const serverUrl = `https://${reach}:${https.port}`;
  const server = await createApiServer({
    store,
    ...(options.isShared && { isShared: true }),
    kinds: builtinKinds(),
    admission: await admissionFor(options),
    clock,
    random,
    log: log.with({ part: "apiserver" }),
    serviceNetwork: {
      serviceCidr: options.serviceCidr,
      // Upstream's validation allows no loopback address among endpoints: without a network there are none.
      ...(!options.advertiseIp.startsWith("127.") && {
        apiServerAddress: { ip: options.advertiseIp, port: https.port },
      }),
    },
    tokens: createTokenSigner(signing),
    tokenDiscovery: createTokenDiscovery({ ...signing, jwksUri: `${serverUrl}${tokenKeysPath}` }),
    tokenReviewer: reviewerOfAll(verifier, otherTokens, tokenIssuer),
    ...(authorizers && { authorizers }),
    openApi: openApiFiles,
    profiler: createProfiler(),
    version: versionInfo(),
    ...(audit && { audit }),
    ...(passwords && { login: passwords }),
    nodeSummary: summaryReader(connector),
    outgoing,
    admissionLater: true,
    metrics,
    clientAuthentication: {
      clientCaPem: pki.authority.certificate,
      frontProxy: { caPem: pki.frontProxy().authority, name: frontProxyName },
    },
  });
  started.use(server);
  const clientFor = (user: UserInfo, userAgent: string): Client =>
    createClient(createInProcessTransport(server, user, userAgent));
  const client = clientFor(administrator, "kogge");
  const { podCidr, serviceCidr } = options;
  await ensureJoiningObjects(client, {
    server: serverUrl,
    authority: pki.authority.certificate,
    agentConfig: {
      podCidr,
      serviceCidr,
      clusterDomain: "cluster.local",
      servingAuthority: pki.servingAuthority().certificate,
    },
  });
  server.startAdmission();
  door.open(server);
  const informers = createInformers({ client, clock, log, signal: stop.signal });
  const shared = { informers, clock, random };
  const run = options.isShared
    ? startElected({ client, clock, log, identity: `${hostname()}_${randomUid(random)}` })
    : (_lease: string, start: Start) => start(stop.signal);
  started.use(
    run("kube-controller-manager", (signal) =>
      createControllers({
        ...shared,
        client: clientFor(administrator, "kube-controller-manager"),
        clientAs: (account) => clientFor(controllerUser(account), "kube-controller-manager"),
        metrics: queueMetrics,
        log: log.with({ part: "controllers" }),
        rootCa: pki.authority.certificate,
        signCertificate: (asked) => signerOf(pki, asked.signerName).sign(asked, clock.now()),
        ipam: { clusterCidr: options.podCidr, serviceCidr: options.serviceCidr },
        signal,
      }),
    ),
  );
  const profiles = await profilesFor(options);
  started.use(
    run("kube-scheduler", (signal) =>
      createScheduler({
        ...shared,
        client: clientFor(schedulerUser, "kube-scheduler"),
        ...(profiles && { profiles }),
        log: log.with({ part: "scheduler" }),
        signal,
      }),
    ),
  );
  const running = started.move();
  return {
    server,
    port: https.port,
    client,
    informers,
    clientFor,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Its code is loaded only where it is asked for. */
async function auditFor(
  { flags = {} }: ControlPlaneOptions,
  parts: Omit<AuditParts, "flags">,
  stack: AsyncDisposableStack,
): Promise<Auditor | undefined> {
  const { auditLogPath, auditWebhookConfigFile, auditPolicyFile } = flags;
  if ((auditLogPath ?? auditWebhookConfigFile ?? auditPolicyFile) === undefined) return undefined;
  const { openAudit } = await import("#main/audit.ts");
  return openAudit({ ...parts, flags }, stack);
}

/** Likewise. */
async function admissionFor({
  admission = {},
  flags = {},
}: ControlPlaneOptions): Promise<AdmissionChoice> {
  const { admissionControlConfigFile: file } = flags;
  if (file === undefined) return admission;
  const { readAdmissionFile } = await import("#main/admission.ts");
  return { ...admission, ...readAdmissionFile(file) };
}

/** Likewise. */
async function profilesFor({
  flags = {},
}: ControlPlaneOptions): Promise<readonly ProfileOptions[] | undefined> {
  if (flags.schedulerConfig === undefined) return undefined;
  const { readSchedulerProfiles } = await import("#main/scheduler-profiles.ts");
  return readSchedulerProfiles(flags.schedulerConfig);
}

type Start = (signal: AbortSignal) => AsyncDisposable;

function startElected(parts: Omit<ElectedParts, "lease">) {
  return (lease: string, start: Start): AsyncDisposable => runElected({ ...parts, lease }, start);
}

function servingCertificate(options: ControlPlaneOptions): {
  readonly key: string;
  readonly certificate: string;
} {
  return options.pki.certificate("apiserver", {
    subject: { commonName: "kube-apiserver" },
    use: "server",
    dnsNames: [
      "localhost",
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      "kubernetes.default.svc.cluster.local",
      ...options.serverNames,
    ],
    ipAddresses: [
      ...new Set([
        "127.0.0.1",
        "::1",
        firstAddress(options.serviceCidr),
        options.advertiseIp,
        ...options.serverIps,
      ]),
    ],
  });
}

function connectorParts(pki: Pki, client: () => Client): ConnectorParts {
  // Connections end with their servers; those that wait for a next request keep no process alive.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 16, timeout: 45_000 });
  const own = pki.certificate("apiserver-kubelet-client", {
    subject: { commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"] },
    use: "client",
  });
  return {
    ...own,
    extensions: { ...pki.frontProxy(), agent },
    authority: () => [pki.authority.certificate, pki.servingAuthority().certificate],
    node: async (name) =>
      (await ifFound(client().get(nodes, { name }))) as unknown as JsonObject | undefined,
    endpoint: async (service, port) => {
      const { namespace = "", name = "" } = service["metadata"] as {
        namespace?: string;
        name?: string;
      };
      const slices = await client().list(endpointSlices, {
        namespace,
        labelSelector: `kubernetes.io/service-name=${name}`,
      });
      return serviceEndpoint(service, slices.items, port);
    },
  };
}

/** Serving certificates of nodes are good for being reached by the API server, and for nothing else. */
function signerOf(pki: Pki, signerName: string): Authority {
  return signerName === "kubernetes.io/kubelet-serving" ? pki.servingAuthority() : pki.authority;
}

function bootstrapSecret(client: Client, name: string): Promise<Secret | undefined> {
  return ifFound(client.get(secrets, { namespace: "kube-system", name }));
}

const boundKinds: Readonly<Record<Parameters<VerifierParts["uidOf"]>[0], Resource>> = {
  ServiceAccount: serviceAccounts,
  Pod: pods,
  Secret: secrets,
  Node: nodes,
} as const;

async function lookUpUid(
  client: Client,
  ...[kind, namespace, name]: Parameters<VerifierParts["uidOf"]>
): Promise<string | undefined> {
  const object = await ifFound(
    client.get(boundKinds[kind], { name, ...(namespace !== "" && { namespace }) }),
  );
  return object && uidOf(object);
}
