import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";
const user = (name: string, ...groups: string[]) => ({
  name,
  groups: [...groups, "system:authenticated"],
});
const jane = user("jane");

test("what a user may do is what the bindings of the user, of groups and of the namespace say", async () => {
  await using api = await createTestServer();
  await bindCluster(api, "jane", "view", { kind: "User", name: "jane" });
  await bind(api, "infra", "edit", { kind: "Group", name: "infra" });
  await bind(api, "robot", "view", { kind: "ServiceAccount", name: "robot" });
  await bindCluster(api, "lost", "nowhere", { kind: "User", name: "lost" });
  const dave = user("dave", "infra");
  const robot = user("system:serviceaccount:default:robot");
  const pods = "/api/v1/namespaces/default/pods";
  const asked = [
    [jane, "GET", "/api/v1/pods"],
    [jane, "GET", "/api/v1/namespaces/default/secrets"],
    [jane, "DELETE", `${pods}/a`],
    [jane, "GET", `${pods}/a/exec`],
    [dave, "GET", "/apis/apps/v1/namespaces/default/deployments"],
    [dave, "GET", "/apis/apps/v1/namespaces/kube-system/deployments"],
    [dave, "GET", "/apis/apps/v1/deployments"],
    [robot, "GET", pods],
    [robot, "POST", pods],
    [user("lost"), "GET", pods],
    [user("lost"), "GET", "/logs/x"],
    [user("nobody"), "GET", "/apis"],
    [{ name: "system:anonymous", groups: ["system:unauthenticated"] }, "GET", "/apis"],
  ] as const;
  const answers = [];
  for (const [who, method, path] of asked) {
    const { status, body } = await api.send(method, path, { user: who });
    answers.push(status === 403 ? body.message : status);
  }
  assert.deepEqual(answers, [
    200,
    'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"',
    'pods "a" is forbidden: User "jane" cannot delete resource "pods" in API group "" in the namespace "default"',
    'pods "a" is forbidden: User "jane" cannot get resource "pods/exec" in API group "" in the namespace "default"',
    200,
    'deployments.apps is forbidden: User "dave" cannot list resource "deployments" in API group "apps" in the namespace "kube-system"',
    'deployments.apps is forbidden: User "dave" cannot list resource "deployments" in API group "apps" at the cluster scope',
    200,
    'pods is forbidden: User "system:serviceaccount:default:robot" cannot create resource "pods" in API group "" in the namespace "default"',
    'pods is forbidden: User "lost" cannot list resource "pods" in API group "" in the namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "nowhere" not found',
    'forbidden: User "lost" cannot get path "/logs/x": RBAC: clusterrole.rbac.authorization.k8s.io "nowhere" not found',
    200,
    'forbidden: User "system:anonymous" cannot get path "/apis"',
  ]);
});

test("a change of a role or binding counts from its write on", async () => {
  await using api = await createTestServer();
  const list = async () => (await api.send("GET", "/api/v1/configmaps", { user: jane })).status;
  const seen = [await list()];
  await api.send("POST", `${rbac}/clusterroles`, { body: role("reader", ["get"], ["configmaps"]) });
  await bindCluster(api, "jane", "reader", { kind: "User", name: "jane" });
  seen.push(await list());
  await api.send("PUT", `${rbac}/clusterroles/reader`, {
    body: role("reader", ["list"], ["configmaps"]),
  });
  seen.push(await list());
  await api.send("DELETE", `${rbac}/clusterrolebindings/jane`);
  seen.push(await list());
  assert.deepEqual(seen, [403, 403, 200, 403]);
});

test("nobody grants what they do not have", async () => {
  await using api = await createTestServer();
  await bind(api, "jane", "admin", { kind: "User", name: "jane" });
  const roles = `${rbac}/namespaces/default/roles`;
  const bindings = `${rbac}/namespaces/default/rolebindings`;
  const send = async (method: string, path: string, body: JsonObject) => {
    const answer = await api.send(method, path, { body, user: jane });
    return answer.status === 201 ? 201 : [answer.status, answer.body.message];
  };
  assert.equal(await send("POST", roles, role("mine", ["get", "list"], ["pods"])), 201);
  assert.deepEqual(await send("POST", roles, role("more", ["get", "list"], ["nodes", "pods"])), [
    403,
    'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}',
  ]);
  assert.deepEqual(await send("PUT", `${roles}/mine`, role("mine", ["*"], ["nodes"])), [
    403,
    'roles.rbac.authorization.k8s.io "mine" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["*"]}',
  ]);
  assert.equal(
    await send("POST", bindings, binding("b", "view", { kind: "User", name: "x" })),
    201,
  );
  assert.deepEqual(
    await send("POST", bindings, binding("c", "cluster-admin", { kind: "User", name: "x" })),
    [
      403,
      'rolebindings.rbac.authorization.k8s.io "c" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}',
    ],
  );
  assert.deepEqual(
    await send("POST", bindings, binding("d", "nowhere", { kind: "User", name: "x" })),
    [404, 'clusterrole.rbac.authorization.k8s.io "nowhere" not found'],
  );
  const binder = role("binder", ["bind"], ["clusterroles"], ["cluster-admin"]);
  await api.send("POST", `${rbac}/clusterroles`, { body: binder });
  await bind(api, "binder", "binder", { kind: "User", name: "jane" });
  const allowed = binding("c", "cluster-admin", { kind: "User", name: "x" });
  assert.equal(await send("POST", bindings, allowed), 201);
  const other = { ...allowed, roleRef: { ...(allowed.roleRef as JsonObject), name: "view" } };
  assert.equal((await api.send("PUT", `${bindings}/c`, { body: other })).status, 422);
});

test("an aggregated role has the rules of all roles it selects", async () => {
  await using api = await createTestServer();
  const extra = role("crontabs", ["get"], ["crontabs"]);
  const labels = { "rbac.authorization.k8s.io/aggregate-to-view": "true" };
  const labelled = { ...extra, metadata: { name: "crontabs", labels } };
  await api.send("POST", `${rbac}/clusterroles`, { body: labelled });
  for (const name of ["view", "edit", "admin"]) {
    const has = async () =>
      (await api.send("GET", `${rbac}/clusterroles/${name}`)).text.includes('"crontabs"');
    while (!(await has())) await new Promise(setImmediate);
  }
  await api.send("DELETE", `${rbac}/clusterroles/crontabs`);
  const admin = async () => (await api.send("GET", `${rbac}/clusterroles/admin`)).text;
  while ((await admin()).includes('"crontabs"')) await new Promise(setImmediate);
});

test("a start gives default roles back what they lost and leaves what was added", async () => {
  await using first = await createTestServer();
  const unchanged = await first.store.revision();
  await using again = await createTestServer({ store: first.store });
  assert.equal(await again.store.revision(), unchanged);
  const path = `${rbac}/clusterroles/system:kube-dns`;
  const { body } = await first.send("GET", path);
  const added = { apiGroups: [""], resources: ["nodes"], verbs: ["get"] };
  await first.send("PUT", path, { body: { ...body, rules: [added] } });
  const kept = `${rbac}/clusterrolebindings/system:discovery`;
  const annotations = { "rbac.authorization.kubernetes.io/autoupdate": "false" };
  await first.send("PATCH", kept, {
    text: JSON.stringify({ metadata: { annotations }, subjects: null }),
    headers: { "content-type": "application/merge-patch+json" },
  });
  await first.send("DELETE", `${rbac}/clusterrolebindings/system:basic-user`);
  await using second = await createTestServer({ store: first.store });
  assert.deepEqual((await second.send("GET", path)).body.rules, [
    added,
    { apiGroups: [""], resources: ["endpoints"], verbs: ["list", "watch"] },
    { apiGroups: [""], resources: ["services"], verbs: ["list", "watch"] },
  ]);
  assert.equal((await second.send("GET", kept)).body.subjects, undefined);
  const basic = await second.send("GET", `${rbac}/clusterrolebindings/system:basic-user`);
  assert.equal(basic.status, 200);
  const before = await second.store.revision();
  await using third = await createTestServer({ store: first.store });
  assert.equal(await third.store.revision(), before);
});

test("default roles and bindings are stored as requests would have stored them", async () => {
  await using api = await createTestServer();
  const paths = [
    `${rbac}/clusterroles/edit`,
    `${rbac}/clusterroles/system:node`,
    `${rbac}/clusterrolebindings/system:node`,
    `${rbac}/clusterrolebindings/system:kube-dns`,
    `${rbac}/namespaces/kube-system/rolebindings/system::leader-locking-kube-scheduler`,
    `${rbac}/namespaces/kube-public/roles/system:controller:bootstrap-signer`,
  ];
  for (const path of paths) {
    const { body } = await api.send("GET", path);
    const { name, namespace, labels, annotations } = body.metadata as Record<string, string>;
    const metadata = { name, ...(namespace && { namespace }), labels, annotations };
    await api.send("DELETE", path);
    const made = await api.send("POST", path.slice(0, path.lastIndexOf("/")), {
      body: { ...body, metadata },
      headers: { "user-agent": "kube-apiserver" },
    });
    assert.deepEqual(comparable(made.body), comparable(body));
  }
});

function comparable(object: JsonObject): JsonObject {
  const { uid: _, resourceVersion: __, ...metadata } = object.metadata as JsonObject;
  return { ...object, metadata };
}

test("reviews name the binding that allows, and list a user's rules", async () => {
  await using api = await createTestServer();
  await bind(api, "robots", "view", { kind: "ServiceAccount", name: "robot" });
  const spec = {
    user: "system:serviceaccount:default:robot",
    resourceAttributes: { verb: "get", resource: "pods", subresource: "log", namespace: "default" },
  };
  const review = await api.send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    body: { spec },
  });
  assert.deepEqual(review.body.status, {
    allowed: true,
    reason:
      'RBAC: allowed by RoleBinding "robots/default" of ClusterRole "view" to ServiceAccount "robot/default"',
  });
  const rules = await api.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
    body: { spec: { namespace: "default" } },
    user: user("nobody"),
  });
  const { resourceRules, incomplete } = rules.body.status as JsonObject;
  assert.equal(incomplete, false);
  assert.deepEqual(resourceRules, [
    {
      verbs: ["create"],
      apiGroups: ["authorization.k8s.io"],
      resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
    {
      verbs: ["get", "list"],
      apiGroups: ["access.kogge.dev"],
      resources: ["visiblenamespaces"],
    },
  ]);
});

function role(
  name: string,
  verbs: string[],
  resources: string[],
  resourceNames?: string[],
): JsonObject {
  const apiGroups = verbs.includes("bind") ? ["rbac.authorization.k8s.io"] : [""];
  const rule = { apiGroups, resources, verbs, ...(resourceNames && { resourceNames }) };
  return { metadata: { name }, rules: [rule] };
}

function binding(name: string, to: string, subject: JsonObject): JsonObject {
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: to };
  return { metadata: { name }, roleRef, subjects: [subject] };
}

async function bindCluster(api: TestServer, ...of: Parameters<typeof binding>): Promise<void> {
  const { status, text } = await api.send("POST", `${rbac}/clusterrolebindings`, {
    body: binding(...of),
  });
  assert.equal(status, 201, text);
}

async function bind(api: TestServer, name: string, to: string, subject: JsonObject): Promise<void> {
  const namespaced =
    subject.kind === "ServiceAccount" ? { ...subject, namespace: "default" } : subject;
  const path = `${rbac}/namespaces/default/rolebindings`;
  const { status, text } = await api.send("POST", path, { body: binding(name, to, namespaced) });
  assert.equal(status, 201, text);
}
