import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const deployments = "/apis/apps/v1/namespaces/default/deployments";
const pods = "/api/v1/namespaces/default/pods";
const merge = { "content-type": "application/merge-patch+json" };

async function createDeployment(api: TestServer): Promise<void> {
  const spec = {
    replicas: 1,
    selector: { matchLabels: { b: "2", a: "1" } },
    template: {
      metadata: { labels: { a: "1", b: "2" } },
      spec: { containers: [{ name: "c", image: "i" }] },
    },
  };
  const { status, text } = await api.send("POST", deployments, {
    body: { metadata: { name: "d" }, spec },
  });
  assert.equal(status, 201, text);
}

test("scale shows and changes the replicas and makes a new generation", async () => {
  await using api = await createTestServer();
  await createDeployment(api);
  const path = `${deployments}/d/scale`;
  const { status, body } = await api.send("PATCH", path, {
    body: { spec: { replicas: 3 } },
    headers: merge,
  });
  assert.deepEqual(
    [status, body.kind, body.spec, body.status],
    [200, "Scale", { replicas: 3 }, { replicas: 0, selector: "a=1,b=2" }],
  );
  const deployment = (await api.send("GET", `${deployments}/d`)).body;
  assert.equal((deployment.spec as JsonObject).replicas, 3);
  assert.equal((deployment.metadata as JsonObject).generation, 2);
  const negative = { ...body, spec: { replicas: -1 } };
  assert.equal((await api.send("PUT", path, { body: negative })).status, 422);
});

test("a status update changes the status alone, an update everything else", async () => {
  await using api = await createTestServer();
  await createDeployment(api);
  const path = `${deployments}/d`;
  const both = { spec: { replicas: 5 }, status: { replicas: 4 } };
  const first = (await api.send("PATCH", `${path}/status`, { body: both, headers: merge })).body;
  assert.deepEqual(
    [(first.spec as JsonObject).replicas, (first.status as JsonObject).replicas],
    [1, 4],
  );
  const again = { spec: { replicas: 5 }, status: { replicas: 9 } };
  const second = (await api.send("PATCH", path, { body: again, headers: merge })).body;
  assert.deepEqual(
    [(second.spec as JsonObject).replicas, (second.status as JsonObject).replicas],
    [5, 4],
  );
});

async function createPod(api: TestServer, nodeName: string): Promise<void> {
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  await api.send("POST", accounts, { body: { metadata: { name: "default" } } });
  const containers = ["a", "b"].map((name) => ({ name, image: "i" }));
  const spec = { containers, ...(nodeName !== "" && { nodeName }) };
  await api.send("POST", pods, { body: { metadata: { name: "p" }, spec } });
}

test("exec, log and portforward name the node; a pod of several containers must be told which", async () => {
  await using api = await createTestServer();
  await createPod(api, "n1");
  const { response } = await api.send("POST", `${pods}/p/exec?container=b&command=ls`);
  assert.ok(response.kind === "connect" && response.target.kind === "pod");
  assert.deepEqual(
    [response.target.action, response.target.nodeName, response.target.query.get("container")],
    ["exec", "n1", "b"],
  );
  const forward = await api.send("GET", `${pods}/p/portforward`);
  assert.equal(forward.response.kind, "connect");
  const unnamed = await api.send("GET", `${pods}/p/log`);
  assert.equal(
    unnamed.body.message,
    "a container name must be specified for pod p, choose one of: [a b]",
  );
  const unknown = await api.send("GET", `${pods}/p/log?container=c`);
  assert.equal(unknown.body.message, "container c is not valid for pod p");
});

test("the log of a pod that is on no node is empty; exec is refused", async () => {
  await using api = await createTestServer();
  await createPod(api, "");
  const log = await api.send("GET", `${pods}/p/log?container=a`);
  assert.deepEqual([log.status, log.text], [200, ""]);
  const exec = await api.send("POST", `${pods}/p/exec?container=a`);
  assert.equal(exec.body.message, "pod p does not have a host assigned");
});

test("proxy passes on the path as it was written, with the scheme and port of the name", async () => {
  await using api = await createTestServer();
  const path = "/api/v1/namespaces/default/services/https:kubernetes:443/proxy/a%2Fb/c/?x=1";
  const { response } = await api.send("GET", path);
  assert.ok(response.kind === "connect" && response.target.kind === "proxy");
  const { to, scheme, port, path: rest, query } = response.target;
  assert.deepEqual(
    [to, scheme, port, rest, query.get("x")],
    ["service", "https", "443", "/a%2Fb/c/", "1"],
  );
});

test("proxy passes on every method, OPTIONS too", async () => {
  await using api = await createTestServer();
  await createPod(api, "n1");
  for (const method of ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]) {
    const { response } = await api.send(method, `${pods}/p/proxy/`);
    assert.equal(response.kind, "connect", method);
  }
  assert.equal((await api.send("OPTIONS", `${pods}/p`)).status, 405);
});

test("who reads what is behind a proxy is sent to where it begins", async () => {
  await using api = await createTestServer();
  await createPod(api, "n1");
  for (const method of ["GET", "HEAD"]) {
    const { status, response } = await api.send(method, `${pods}/p/proxy?a=1`);
    assert.equal(status, 301);
    const location = response.headers.find(([name]) => name === "location");
    assert.equal(location?.[1], `${pods}/p/proxy/?a=1`);
  }
  const headers = { upgrade: "websocket", connection: "upgrade" };
  const upgraded = await api.send("GET", `${pods}/p/proxy`, { headers });
  assert.equal(upgraded.response.kind, "connect");
  assert.equal((await api.send("POST", `${pods}/p/proxy`)).response.kind, "connect");
});

test("a pod's debugging containers and resources are a new generation, once", async () => {
  await using api = await createTestServer();
  await createPod(api, "n1");
  const debuggers = { spec: { ephemeralContainers: [{ name: "d", image: "i" }] } };
  const resources = { requests: { memory: "1Gi" } };
  const resized = { spec: { containers: [{ name: "a", resources: { requests: { cpu: "1m" } } }] } };
  await api.send("PATCH", `${pods}/p`, {
    body: { metadata: { labels: { a: "1" } } },
    headers: merge,
  });
  assert.equal(await generation(), 1);
  for (const _ of [1, 2]) {
    await patchPart("ephemeralcontainers", debuggers);
    assert.equal(await generation(), 2);
  }
  const burstable = {
    metadata: { name: "q" },
    spec: { containers: [{ name: "a", image: "i", resources }] },
  };
  assert.equal((await api.send("POST", pods, { body: burstable })).status, 201);
  await patchPart("resize", resized, "q");
  assert.equal(await generation("q"), 2);

  async function patchPart(part: string, body: JsonObject, name = "p"): Promise<void> {
    const headers = { "content-type": "application/strategic-merge-patch+json" };
    const { status, text } = await api.send("PATCH", `${pods}/${name}/${part}`, { body, headers });
    assert.equal(status, 200, text);
  }

  async function generation(name = "p"): Promise<unknown> {
    return ((await api.send("GET", `${pods}/${name}`)).body.metadata as JsonObject).generation;
  }
});

test("resize takes resources of containers and of the pod, and nothing else", async () => {
  await using api = await createTestServer();
  await createPod(api, "");
  const sized = (name: string, memory: string): JsonObject => ({
    name,
    image: "i",
    resources: { requests: { memory }, limits: { memory } },
  });
  const containers = [sized("a", "2Gi"), sized("b", "1Gi")];
  const spec = { containers, resources: { limits: { cpu: "1" } } };
  const made = await api.send("POST", pods, { body: { metadata: { name: "r" }, spec } });
  assert.equal(made.status, 201, made.text);
  const put = async (change: JsonObject, metadata: JsonObject = {}) => {
    const { body } = await api.send("GET", `${pods}/r`);
    return api.send("PUT", `${pods}/r/resize`, {
      body: {
        ...body,
        metadata: { ...(body.metadata as JsonObject), ...metadata },
        spec: { ...(body.spec as JsonObject), ...change },
      },
    });
  };
  const wanted = {
    containers: [{ ...sized("a", "1Gi"), image: "other" }, sized("b", "3Gi")],
    resources: { requests: { cpu: "1", memory: "4Gi" }, limits: { cpu: "2", memory: "5Gi" } },
    nodeSelector: { a: "b" },
  };
  const resized = await put(wanted, { labels: { a: "b" } });
  const [metadata, now] = [resized.body.metadata, resized.body.spec] as JsonObject[];
  const resources = ((now?.containers ?? []) as JsonObject[]).map((one) => [
    one.image,
    one.resources,
  ]);
  assert.deepEqual(
    [resized.status, metadata?.labels, now?.nodeSelector, now?.resources, resources],
    [
      200,
      undefined,
      undefined,
      wanted.resources,
      [
        ["i", sized("a", "1Gi").resources],
        ["i", sized("b", "3Gi").resources],
      ],
    ],
  );
  const swapped = await put({ containers: [sized("b", "3Gi"), sized("a", "1Gi")] });
  assert.deepEqual(
    [swapped.status, swapped.body.message],
    [
      422,
      'Pod "r" is invalid: [spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize, spec.containers[1].name: Forbidden: containers may not be renamed or reordered on resize]',
    ],
  );
  const more = await put({ containers: [...containers, sized("c", "1Gi")] });
  assert.deepEqual([more.status], [422]);
});

test("a token is issued by the part that does so, bound to the pod and its node", async () => {
  const asked: unknown[] = [];
  await using api = await createTestServer({
    tokens: {
      issue: (claims) => {
        asked.push(claims);
        return Promise.resolve({ token: "t", expiresAtMs: Date.parse("2026-01-01T01:00:00Z") });
      },
    },
  });
  await createPod(api, "n1");
  const path = "/api/v1/namespaces/default/serviceaccounts/default";
  const uidOf = async (at: string) => ((await api.send("GET", at)).body.metadata as JsonObject).uid;
  const spec = { audiences: ["x"], boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } };
  const { status, body } = await api.send("POST", `${path}/token`, { body: { spec } });
  assert.deepEqual(
    [status, body.status],
    [201, { token: "t", expirationTimestamp: "2026-01-01T01:00:00Z" }],
  );
  assert.deepEqual(asked, [
    {
      namespace: "default",
      serviceAccount: { name: "default", uid: await uidOf(path) },
      audiences: ["x"],
      expirationSeconds: 3_600,
      boundTo: { kind: "Pod", name: "p", uid: await uidOf(`${pods}/p`) },
    },
  ]);
  const short = { spec: { audiences: [], expirationSeconds: 5 } };
  assert.equal((await api.send("POST", `${path}/token`, { body: short })).status, 422);
});

test("reviews tell who the caller is and what they may do", async () => {
  await using api = await createTestServer();
  const self = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  assert.deepEqual((await api.send("POST", self, { body: {} })).body.status, {
    userInfo: { username: "admin", groups: ["system:masters", "system:authenticated"] },
  });
  const access = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  const spec = {
    user: "x",
    groups: ["system:unauthenticated"],
    nonResourceAttributes: { path: "/healthz", verb: "get" },
  };
  assert.deepEqual((await api.send("POST", access, { body: { spec } })).body.status, {
    allowed: true,
    reason:
      'RBAC: allowed by ClusterRoleBinding "system:public-info-viewer" of ClusterRole "system:public-info-viewer" to Group "system:unauthenticated"',
  });
  const other = { ...spec, nonResourceAttributes: { path: "/metrics", verb: "get" } };
  assert.deepEqual((await api.send("POST", access, { body: { spec: other } })).body.status, {
    allowed: false,
  });
});

test("an impersonated request is made as the other user", async () => {
  await using api = await createTestServer();
  const headers = { "impersonate-user": "system:serviceaccount:default:a" };
  const self = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const { body } = await api.send("POST", self, {
    body: {},
    headers: { ...headers, "content-type": "application/json" },
  });
  assert.deepEqual(body.status, {
    userInfo: {
      username: "system:serviceaccount:default:a",
      groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    },
  });
});
