import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";
import type { UserInfo } from "#apiserver/request.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const space = "/api/v1/namespaces/default";
const merge = { "content-type": "application/merge-patch+json" };

/** A server with these plugins as well, on which the given objects were made. */
async function serverWith(
  enable: readonly string[],
  objects: readonly (readonly [path: string, body: JsonObject])[] = [],
): Promise<TestServer> {
  const api = await createTestServer({ admission: { enable } });
  await api.send("POST", `${space}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  for (const [path, body] of objects) {
    const { status, text } = await api.send("POST", path, { body });
    assert.equal(status, 201, text);
  }
  return api;
}

const podOf = (spec: JsonObject = {}): JsonObject => ({
  metadata: { name: "p" },
  spec: { containers: [{ name: "c", image: "i" }], ...spec },
});

async function madePod(api: TestServer, pod: JsonObject): Promise<JsonObject> {
  const { body } = await api.send("POST", `${space}/pods`, { body: pod });
  return body.kind === "Status" ? body : (body.spec as JsonObject);
}

const classes = "/apis/node.k8s.io/v1/runtimeclasses";
const kata: readonly [string, JsonObject] = [
  classes,
  {
    metadata: { name: "kata" },
    handler: "kata",
    overhead: { podFixed: { cpu: "250m", memory: "120Mi" } },
    scheduling: {
      nodeSelector: { runtime: "kata" },
      tolerations: [{ key: "kata", operator: "Exists" }],
    },
  },
];

test("RuntimeClass gives pods its overhead and its nodes, and refuses what contradicts it", async () => {
  await using api = await serverWith([], [kata]);
  const message = async (spec: JsonObject) => (await madePod(api, podOf(spec))).message;
  const overhead = { cpu: "1" };
  assert.deepEqual(
    [
      await message({ runtimeClassName: "none" }),
      await message({ runtimeClassName: "kata", overhead }),
      await message({ overhead }),
      await message({ runtimeClassName: "kata", nodeSelector: { runtime: "runc" } }),
    ],
    [
      'pods "p" is forbidden: pod rejected: RuntimeClass "none" not found',
      `pods "p" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead`,
      'pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
      'pods "p" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[runtime] = kata; pod.spec.nodeSelector[runtime] = runc',
    ],
  );
  const spec = await madePod(api, podOf({ runtimeClassName: "kata" }));
  assert.deepEqual(
    [spec.overhead, spec.nodeSelector, (spec.tolerations as JsonObject[]).map(({ key }) => key)],
    [
      { cpu: "250m", memory: "120Mi" },
      { runtime: "kata" },
      ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "kata"],
    ],
  );
});

test("a namespace's annotations place its pods", async () => {
  const annotations = {
    "scheduler.alpha.kubernetes.io/node-selector": "env=test,disk=ssd",
    "scheduler.alpha.kubernetes.io/defaultTolerations": '[{"key":"a","operator":"Exists"}]',
    "scheduler.alpha.kubernetes.io/tolerationsWhitelist":
      '[{"key":"a","operator":"Exists"},{"operator":"Exists","effect":"NoExecute"}]',
  };
  await using api = await serverWith(["PodNodeSelector", "PodTolerationRestriction"]);
  const text = JSON.stringify({ metadata: { annotations } });
  await api.send("PATCH", "/api/v1/namespaces/default", { headers: merge, text });
  const tolerations = [{ key: "b", operator: "Exists" }];
  assert.deepEqual(
    [
      (await madePod(api, podOf({ nodeSelector: { env: "prod" } }))).message,
      (await madePod(api, podOf({ tolerations }))).message,
    ],
    [
      'pods "p" is forbidden: pod node label selector conflicts with its namespace node label selector',
      "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist",
    ],
  );
  const spec = await madePod(api, podOf());
  assert.deepEqual(
    [spec.nodeSelector, (spec.tolerations as JsonObject[]).map(({ key }) => key)],
    [
      { env: "test", disk: "ssd" },
      ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "a"],
    ],
  );
});

test("plugins that are off by default act where they are enabled", async () => {
  const names = ["AlwaysPullImages", "DenyServiceExternalIPs", "ExtendedResourceToleration"];
  await using api = await serverWith([...names, "LimitPodHardAntiAffinityTopology"]);
  const term = { topologyKey: "zone", labelSelector: {} };
  const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
  const gpu = { "example.com/gpu": "1" };
  const resources = { requests: gpu, limits: gpu };
  const spec = await madePod(
    api,
    podOf({ containers: [{ name: "c", image: "i:1", imagePullPolicy: "Never", resources }] }),
  );
  const service = {
    metadata: { name: "s" },
    spec: { externalIPs: ["1.2.3.4"], ports: [{ port: 1 }] },
  };
  assert.deepEqual(
    [
      (spec.containers as JsonObject[])[0]?.imagePullPolicy,
      (spec.tolerations as JsonObject[]).map(({ key }) => key).includes("example.com/gpu"),
      (await api.send("POST", `${space}/services`, { body: service })).body.message,
      (await madePod(api, podOf({ affinity: { podAntiAffinity } }))).message,
    ],
    [
      "Always",
      true,
      'services "s" is forbidden: Use of external IPs is denied by admission control',
      'pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed',
    ],
  );
});

test("a new node is tainted, storage has its finalizers, a claim grows only where it may", async () => {
  await using api = await serverWith([]);
  const node = await api.send("POST", "/api/v1/nodes", { body: { metadata: { name: "n" } } });
  const claim = await api.send("POST", `${space}/persistentvolumeclaims`, {
    body: {
      metadata: { name: "c" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    },
  });
  const grow = () =>
    api.send("PATCH", `${space}/persistentvolumeclaims/c`, {
      headers: merge,
      text: JSON.stringify({ spec: { resources: { requests: { storage: "2Gi" } } } }),
    });
  await api.send("PATCH", `${space}/persistentvolumeclaims/c/status`, {
    headers: merge,
    text: JSON.stringify({ status: { phase: "Bound" } }),
  });
  const refused = 'persistentvolumeclaims "c" is forbidden: ';
  assert.deepEqual(
    [
      (node.body.spec as JsonObject).taints,
      (claim.body.metadata as JsonObject).finalizers,
      (await grow()).body.message,
    ],
    [
      [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }],
      ["kubernetes.io/pvc-protection"],
      `${refused}only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`,
    ],
  );
});

const roles = "/apis/rbac.authorization.k8s.io/v1";
const ann: UserInfo = { name: "ann", groups: ["system:authenticated"] };
const grant = (rules: JsonObject[]): readonly (readonly [string, JsonObject])[] => [
  [`${roles}/clusterroles`, { metadata: { name: "some" }, rules }],
  [
    `${roles}/clusterrolebindings`,
    {
      metadata: { name: "ann" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "some" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
    },
  ],
];

test("who sets an owner must be allowed to delete what is owned and to hold the owner back", async () => {
  const rules = [
    { apiGroups: [""], resources: ["configmaps"], verbs: ["create", "update", "get"] },
  ];
  await using api = await serverWith(["OwnerReferencesPermissionEnforcement"], grant(rules));
  const owner = (more: JsonObject = {}): JsonObject => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    name: "d",
    uid: "1",
    ...more,
  });
  const path = `${space}/configmaps`;
  const make = (name: string, ...ownerReferences: JsonObject[]) =>
    api.send("POST", path, { user: ann, body: { metadata: { name, ownerReferences } } });
  const [free, blocking] = [
    await make("a", owner()),
    await make("b", owner({ blockOwnerDeletion: true })),
  ];
  const changed = await api.send("PUT", `${path}/a`, {
    user: ann,
    body: { metadata: { name: "a" } },
  });
  assert.deepEqual(
    [free.status, blocking.body.message, changed.body.message],
    [
      201,
      `configmaps "b" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>`,
      `configmaps "a" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>`,
    ],
  );
});

const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

test("who approves or signs must be allowed to for the signer, and nobody asks to be a master", async () => {
  const all = ["get", "create", "update", "patch"];
  const names = ["", "/approval", "/status"].map((part) => `certificatesigningrequests${part}`);
  const rules = [{ apiGroups: ["certificates.k8s.io"], resources: names, verbs: all }];
  await using api = await serverWith([], grant(rules));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const requestPem = (commonName: string, organization: string): string =>
    createCertificateRequest(
      { subject: { commonName, organizations: [organization] } },
      privateKey,
    );
  const make = (name: string, organization: string) =>
    api.send("POST", requests, {
      user: ann,
      body: {
        metadata: { name },
        spec: {
          request: Buffer.from(requestPem("ann", organization)).toString("base64"),
          signerName: "kubernetes.io/kube-apiserver-client",
          usages: ["client auth"],
        },
      },
    });
  const change = (subresource: string, status: JsonObject) =>
    api.send("PATCH", `${requests}/a/${subresource}`, {
      user: ann,
      headers: merge,
      text: JSON.stringify({ status }),
    });
  const [fits, master] = [await make("a", "dev"), await make("b", "system:masters")];
  const condition = { type: "Approved", status: "True", reason: "r" };
  const approved = await change("approval", { conditions: [condition] });
  const failed = { type: "Failed", status: "True", reason: "r" };
  const signed = await change("status", { conditions: [failed] });
  const refused = "certificatesigningrequests.certificates.k8s.io";
  const signer = '"kubernetes.io/kube-apiserver-client"';
  assert.deepEqual(
    [fits.status, master.body.message, approved.body.message, signed.body.message],
    [
      201,
      `${refused} "b" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed`,
      `${refused} "a" is forbidden: user not permitted to approve requests with signerName ${signer}`,
      `${refused} "a" is forbidden: user not permitted to sign requests with signerName ${signer}`,
    ],
  );
});

test("a choice of plugins that cannot be is refused", async () => {
  const choices = [
    { enable: ["Nope"] },
    { disable: ["Nope"] },
    { enable: ["Priority"], disable: ["Priority"] },
  ];
  const messages = await Promise.all(
    choices.map((admission) =>
      createTestServer({ admission }).catch((error: Error) => error.message),
    ),
  );
  assert.deepEqual(messages, [
    'enable-admission-plugins plugin "Nope" is unknown',
    'disable-admission-plugins plugin "Nope" is unknown',
    "[Priority] in enable-admission-plugins and disable-admission-plugins overlapped",
  ]);
});
