import { deepEqual, equal } from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import type { AuditEvent } from "#apiserver/audit/event.ts";
import { createMemoryPki, type Pki } from "#apiserver/node/pki/pki-directory.ts";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";
import { createTokenSigner } from "#apiserver/node/tokens/service-account-tokens.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { startControlPlane, tokenIssuer, type ControlPlane } from "#main/control-plane.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { send, type Access, type RawAnswer, type RawRequest } from "#test/raw-client.ts";
import { temporaryFolder } from "#test/temporary.ts";

// Ways to get in, or further in than one may, tried over TLS against a whole control plane. Each is refused, and stands
// in the audit log.

let pki: Pki;
let plane: ControlPlane;
let admin: Caller;
const folder = temporaryFolder("attempts");
const auditLog = join(folder.path, "audit.log");
const space = "/api/v1/namespaces/default";
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const certificateRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const secret = `${space}/secrets/of-two`;

before(async () => {
  pki = createMemoryPki(Date.now());
  plane = await startControlPlane({
    store: createMemoryStore(),
    pki,
    host: "127.0.0.1",
    port: 0,
    advertiseIp: "127.0.0.1",
    serverNames: [],
    serverIps: [],
    serviceCidr: "10.96.0.0/16",
    podCidr: "10.244.0.0/16",
    flags: { auditLogPath: auditLog },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  admin = certified("admin", "system:masters");
  for (const [path, body] of objects) {
    const { status, text } = await post(admin, path, body);
    equal(status, 201, `${path}: ${text}`);
  }
});

after(() => folder[Symbol.dispose]());

interface Caller extends Access {
  readonly name: string;
}

/** What was refused, as it must stand in the audit log. */
interface Refused {
  readonly id: string;
  readonly user: string | undefined;
  readonly code: number;
  readonly message: string;
}

const refused: Refused[] = [];

/** `shown` is what the log says of who cannot be told. */
async function attempt(
  by: Caller,
  raw: RawRequest,
  shown = "no credentials provided",
): Promise<RawAnswer> {
  const id = `attempt-${refused.length}`;
  const answer = await send(by, { ...raw, headers: { ...raw.headers, "audit-id": id } });
  const { status: code, object } = answer;
  if (code < 400) return answer;
  const isKnown = code !== 401;
  const message = isKnown ? String(object.message) : `Authentication failed, ${shown}`;
  refused.push({ id, user: isKnown ? by.name : undefined, code, message });
  return answer;
}

/** A client with a certificate of the cluster, or of another one. */
function certified(name: string, group?: string, by: Pki = pki): Caller {
  const pair = by.certificate(`client-${name}`, {
    subject: { commonName: name, ...(group !== undefined && { organizations: [group] }) },
    use: "client",
  });
  const { key, certificate: cert } = pair;
  return { name, port: plane.port, ca: pki.authority.certificate, key, cert };
}

/** Without a certificate. */
function stranger(): Caller {
  const access = { port: plane.port, ca: pki.authority.certificate } as Access;
  return { ...access, name: "system:anonymous" };
}

function post(by: Caller, path: string, body: JsonObject): Promise<RawAnswer> {
  const headers = { "content-type": "application/json" };
  return attempt(by, { method: "POST", path, headers, body: JSON.stringify(body) });
}

const role = (name: string, ...rules: JsonObject[]): readonly [string, JsonObject] => [
  `${rbac}/clusterroles`,
  { metadata: { name }, rules },
];
const binding = (user: string, name: string): readonly [string, JsonObject] => [
  `${rbac}/clusterrolebindings`,
  {
    metadata: { name: `${user}-${name}` },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
  },
];
const pod = (name: string, spec: JsonObject): JsonObject => ({
  metadata: { name },
  spec: { containers: [{ name: "c", image: "i" }], ...spec },
});
const objects: readonly (readonly [path: string, body: JsonObject])[] = [
  [`${space}/serviceaccounts`, { metadata: { name: "robot" } }],
  [`${space}/secrets`, { metadata: { name: "of-two" } }],
  [
    `${space}/pods`,
    pod("two", { nodeName: "two", volumes: [{ name: "v", secret: { secretName: "of-two" } }] }),
  ],
  role(
    "granter",
    {
      apiGroups: ["rbac.authorization.k8s.io"],
      resources: ["*"],
      verbs: ["get", "create", "update"],
    },
    { apiGroups: [""], resources: ["pods", "configmaps"], verbs: ["create", "list"] },
    {
      apiGroups: ["certificates.k8s.io"],
      resources: ["certificatesigningrequests"],
      verbs: ["create", "update"],
    },
  ),
  role("limited", {
    apiGroups: ["authentication.k8s.io"],
    resources: ["users"],
    verbs: ["impersonate:user-info"],
  }),
  binding("mallory", "granter"),
  binding("trent", "limited"),
];

const now = (): number => Math.floor(Date.now() / 1000);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

async function uidOf(path: string): Promise<string> {
  const { object } = await send(admin, { path });
  return (object.metadata as { uid: string }).uid;
}

/** A token of the account `robot` as the server would sign it, but for what is given. */
async function token(given: {
  readonly key?: string;
  readonly issuer?: string;
  readonly audiences?: readonly string[];
  readonly agoMs?: number;
  readonly boundTo?: { readonly kind: string; readonly name: string; readonly uid: string };
  readonly name?: string;
}): Promise<string> {
  const name = given.name ?? "robot";
  const uid = given.name ? "gone" : await uidOf(`${space}/serviceaccounts/robot`);
  const clock = { ...systemClock, now: () => Date.now() - (given.agoMs ?? 0) };
  const key = given.key ?? pki.serviceAccountKey;
  const signer = createTokenSigner({ key, issuer: given.issuer ?? tokenIssuer, clock });
  const issued = await signer.issue({
    namespace: "default",
    serviceAccount: { name, uid },
    audiences: given.audiences ?? [],
    expirationSeconds: 600,
    ...(given.boundTo && { boundTo: given.boundTo }),
  });
  return issued.token;
}

function privateKey(): string {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The account's claims under another header. */
async function resigned(header: JsonObject, signature?: (text: string) => Buffer): Promise<string> {
  const [, claims = ""] = (await token({})).split(".");
  const text = `${part(header)}.${claims}`;
  return `${text}.${signature?.(text).toString("base64url") ?? ""}`;
}

const tokens: readonly [what: string, make: () => Promise<string>][] = [
  ["that is expired", () => token({ agoMs: 3_600_000 })],
  ["that is not valid yet", () => token({ agoMs: -3_600_000 })],
  ["that another key signed", () => token({ key: privateKey() })],
  ["of another issuer", () => token({ issuer: "https://elsewhere" })],
  ["for another audience", () => token({ audiences: ["vault"] })],
  ["of an account that is gone", () => token({ name: "gone" })],
  [
    "bound to a pod that is gone",
    () => token({ boundTo: { kind: "Pod", name: "gone", uid: "1" } }),
  ],
  [
    "bound to a pod of that name that is another",
    () => token({ boundTo: { kind: "Pod", name: "two", uid: "1" } }),
  ],
  ["without a signature", () => resigned({ alg: "none", typ: "JWT" })],
  [
    "that is signed with the public key as a secret",
    () =>
      resigned({ alg: "HS256" }, () =>
        Buffer.from(
          createPrivateKey(pki.serviceAccountKey).export({ type: "sec1", format: "der" }),
        ),
      ),
  ],
  [
    "whose claims were changed",
    async () => {
      const [header = "", claims = "", signature = ""] = (await token({})).split(".");
      const read = JSON.parse(Buffer.from(claims, "base64url").toString()) as JsonObject;
      const other = { ...read, sub: "system:serviceaccount:kube-system:default", exp: now() + 9 };
      return [header, part(other), signature].join(".");
    },
  ],
  [
    "that brings its own key",
    () => {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const jwk = pair.publicKey.export({ format: "jwk" }) as JsonObject;
      return resigned({ alg: "ES256", jwk }, (text) =>
        sign("sha256", Buffer.from(text), { key: pair.privateKey, dsaEncoding: "ieee-p1363" }),
      );
    },
  ],
  ["that is none", () => Promise.resolve("a.b.c")],
];

test("tokens that are not what they say are nobody's", async () => {
  const good = await token({});
  const seen = [(await asBearer(good)).status];
  for (const [what, make] of tokens) {
    const { status, object } = await asBearer(await make());
    if (status !== 401 || object.message !== "Unauthorized") seen.push(status, what as never);
  }
  deepEqual(seen, [200]);
});

function asBearer(bearer: string): Promise<RawAnswer> {
  const headers = { authorization: `Bearer ${bearer}` };
  return attempt(stranger(), { path: "/api", headers }, "attempted: bearer");
}

test("certificates of another authority are nobody's, whatever they say", async () => {
  const foreign = createMemoryPki(Date.now());
  const master = certified("admin", "system:masters", foreign);
  const seen = [
    await attempt(master, { path: "/api" }, "attempted: x509"),
    await attempt(stranger(), { path: "/api" }),
    await attempt(certified("eve"), { path: `${space}/secrets` }),
  ];
  deepEqual(
    seen.map(({ status, object }) => [status, object.message]),
    [
      [401, "Unauthorized"],
      [403, 'forbidden: User "system:anonymous" cannot get path "/api"'],
      [
        403,
        'secrets is forbidden: User "eve" cannot list resource "secrets" in API group "" in the namespace "default"',
      ],
    ],
  );
});

test("headers of a front proxy are believed of nobody else", async () => {
  const headers = {
    "x-remote-user": "admin",
    "x-remote-group": "system:masters",
    "x-remote-extra-scopes": "all",
    "x-forwarded-user": "admin",
    "x-forwarded-for": "127.0.0.1",
  };
  const path = `${space}/secrets`;
  const cannot = (name: string): string =>
    `secrets is forbidden: User "${name}" cannot list resource "secrets" in API group "" in the namespace "default"`;
  deepEqual(
    [
      (await attempt(certified("eve"), { path, headers })).object.message,
      (await attempt(stranger(), { path, headers })).object.message,
    ],
    [cannot("eve"), cannot("system:anonymous")],
  );
});

const impersonations: readonly [who: string, headers: Record<string, string>, message: string][] = [
  [
    "eve",
    { "impersonate-user": "admin" },
    'configmaps is forbidden: User "eve" cannot impersonate-on:user-info:list resource "configmaps" in API group "" in the namespace "default"',
  ],
  [
    "eve",
    { "impersonate-user": "eve", "impersonate-group": "system:masters" },
    'configmaps is forbidden: User "eve" cannot impersonate-on:user-info:list resource "configmaps" in API group "" in the namespace "default"',
  ],
  [
    "trent",
    { "impersonate-user": "admin" },
    'configmaps is forbidden: User "trent" cannot impersonate-on:user-info:list resource "configmaps" in API group "" in the namespace "default"',
  ],
  [
    "eve",
    { "impersonate-user": "system:serviceaccount:default:robot" },
    'configmaps is forbidden: User "eve" cannot impersonate-on:serviceaccount:list resource "configmaps" in API group "" in the namespace "default"',
  ],
  [
    "eve",
    { "impersonate-user": "system:node:two" },
    'configmaps is forbidden: User "eve" cannot impersonate-on:arbitrary-node:list resource "configmaps" in API group "" in the namespace "default"',
  ],
  [
    "eve",
    { "impersonate-group": "system:masters" },
    "requested impersonation without impersonating a user",
  ],
];

test("nobody is somebody else without the right to be", async () => {
  const seen = [];
  for (const [who, headers] of impersonations) {
    const answer = await attempt(certified(who), { path: `${space}/configmaps`, headers });
    seen.push(answer.object.message);
  }
  deepEqual(
    seen,
    impersonations.map(([, , message]) => message),
  );
});

test("who may be somebody for some requests may not for others, and is never a master", async () => {
  const on = {
    apiGroups: [""],
    resources: ["configmaps"],
    verbs: ["impersonate-on:user-info:list"],
  };
  const groups = {
    apiGroups: ["authentication.k8s.io"],
    resources: ["groups"],
    verbs: ["impersonate:user-info"],
  };
  for (const [path, body] of [role("on-lists", on, groups), binding("trent", "on-lists")])
    equal((await post(admin, path, body)).status, 201);
  const trent = certified("trent");
  const as = (user: string, group?: string) => ({
    "impersonate-user": user,
    ...(group && { "impersonate-group": group }),
  });
  const seen = [
    await attempt(trent, { path: `${space}/configmaps`, headers: as("mallory") }),
    await attempt(trent, { path: `${space}/pods`, headers: as("mallory") }),
    await attempt(trent, { path: `${space}/configmaps`, headers: as("mallory", "system:masters") }),
  ];
  deepEqual(
    seen.map(({ status, object }) => (status === 200 ? 200 : object.message)),
    [
      200,
      'pods is forbidden: User "trent" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "default"',
      'groups.authentication.k8s.io "system:masters" is forbidden: User "trent" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed',
    ],
  );
});

test("nobody gets further in than they are", async () => {
  const mallory = certified("mallory");
  const more = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] };
  const held =
    'user "mallory" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}';
  const group = "rbac.authorization.k8s.io";
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = { commonName: "mallory", organizations: ["system:masters"] };
  const request = Buffer.from(createCertificateRequest({ subject }, keys.privateKey));
  const signer = "kubernetes.io/kube-apiserver-client";
  const attempts: readonly [path: string, body: JsonObject, message: string][] = [
    [...role("all", more), `clusterroles.${group} "all" is forbidden: ${held}`],
    [
      ...binding("mallory", "cluster-admin"),
      `clusterrolebindings.${group} "mallory-cluster-admin" is forbidden: ${held}\n{NonResourceURLs:["*"], Verbs:["*"]}`,
    ],
    [
      `${rbac}/clusterroles`,
      {
        metadata: { name: "collected" },
        aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] },
      },
      `clusterroles.${group} "collected" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
    ],
    [
      `${space}/serviceaccounts/robot/token`,
      { spec: { audiences: [] } },
      'serviceaccounts "robot" is forbidden: User "mallory" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default"',
    ],
    [
      `${space}/pods/two/exec?command=sh`,
      {},
      'pods "two" is forbidden: User "mallory" cannot create resource "pods/exec" in API group "" in the namespace "default"',
    ],
    [
      `${space}/pods`,
      pod("p", { serviceAccountName: "nobody" }),
      'pods "p" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    ],
    [
      certificateRequests,
      {
        metadata: { name: "m" },
        spec: { request: request.toString("base64"), signerName: signer, usages: ["client auth"] },
      },
      `certificatesigningrequests.certificates.k8s.io "m" is forbidden: use of ${signer} signer with system:masters group is not allowed`,
    ],
  ];
  const seen: unknown[] = [];
  for (const [path, body] of attempts) seen.push((await post(mallory, path, body)).object.message);
  deepEqual(
    seen,
    attempts.map(([, , message]) => message),
  );
});

test("a node reaches for nothing of other nodes", async () => {
  const one = certified("system:node:one", "system:nodes");
  const cannot = (verb: string, resource: string, more = ""): string =>
    `User "system:node:one" cannot ${verb} resource "${resource}" in API group ""${more}`;
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = { commonName: "system:node:two", organizations: ["system:nodes"] };
  const lost = "no relationship found between node 'one' and this object";
  const seen = [
    await attempt(one, { path: secret }),
    await attempt(one, { path: `${space}/secrets` }),
    await post(one, `${space}/serviceaccounts/robot/token`, { spec: { audiences: [] } }),
    await post(one, `${space}/pods`, pod("p", { nodeName: "two" })),
    await post(one, certificateRequests, {
      metadata: { name: "two" },
      spec: {
        request: Buffer.from(createCertificateRequest({ subject }, keys.privateKey)).toString(
          "base64",
        ),
        signerName: "kubernetes.io/kube-apiserver-client-kubelet",
        usages: ["client auth"],
      },
    }),
  ];
  deepEqual(
    seen.map(({ object }) => object.message),
    [
      `secrets "of-two" is forbidden: ${cannot("get", "secrets", ' in the namespace "default"')}: ${lost}`,
      `secrets is forbidden: ${cannot("list", "secrets", ' in the namespace "default"')}: No Object name found`,
      `serviceaccounts "robot" is forbidden: ${cannot("create", "serviceaccounts/token", ' in the namespace "default"')}: ${lost}`,
      'pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "one" can only create mirror pods',
      'certificatesigningrequests.certificates.k8s.io "two" is forbidden: can only create a node CSR with CN=system:node:one',
    ],
  );
});

/** The status of each, for who may list config maps and nothing else. */
const paths: readonly [path: string, status: number][] = [
  [`${space}/configmaps`, 200],
  [`${space}/configmaps/../secrets`, 403],
  [`${space}/configmaps/..%2fsecrets`, 403],
  [`${space}/configmaps/%2e%2e/secrets/of-two`, 403],
  [`${space}/configmaps//secrets`, 403],
  ["//api/v1/namespaces/default/secrets", 403],
  ["/api/v1//namespaces/default/secrets", 403],
  ["/api//v1/secrets", 403],
  ["/API/v1/namespaces/default/secrets", 403],
  ["/api/v1/namespaces/default%2fsecrets", 403],
  ["/api/v1/namespaces/default/secrets%00", 403],
  ["/api/v1/namespaces/default/./secrets", 403],
  ["/healthz/../api/v1/secrets", 403],
  ["/apis/../api/v1/namespaces/default/secrets/of-two", 403],
  ["/api/v1/namespaces/default/configmaps?watch=1&resource=secrets%zz", 403],
  ["/api/v1/namespaces/default/%zz", 400],
];

test("no spelling of a path leads past the authorizer", async () => {
  const mallory = certified("mallory");
  const seen = [];
  for (const [path] of paths) {
    const { status, text } = await attempt(mallory, { path });
    seen.push([path, text.includes("of-two") && status === 200 ? "the secret" : status]);
  }
  deepEqual(seen, paths);
});

test("all that was refused is in the audit log: who tried it, and what they were told", async () => {
  // What still waits is written then.
  await plane[Symbol.asyncDispose]();
  const events = readFileSync(auditLog, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ auditID }) => auditID.startsWith("attempt-"));
  const told = events
    .filter(({ stage }) => stage === "ResponseComplete")
    .filter(({ responseStatus }) => (responseStatus?.code ?? 0) >= 400)
    .map(({ auditID: id, user, responseStatus }) => ({
      id,
      user: user.username,
      code: responseStatus?.code,
      message: responseStatus?.message,
    }));
  deepEqual(told, refused);
  equal(refused.length > 50, true);
});
