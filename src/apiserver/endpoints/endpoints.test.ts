import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import type { OpenApiFiles } from "#apiserver/parts.ts";
import { createTestServer } from "#test/api-server.ts";

const nobody = { name: "system:anonymous", groups: ["system:unauthenticated"] };
const monitor = { name: "prometheus", groups: ["system:monitoring"] };

test("health is told to everybody, whole, in detail and check by check", async () => {
  await using api = await createTestServer();
  const ask = async (path: string, user = nobody) => {
    const { status, text } = await api.send("GET", path, { user });
    return [status, text];
  };
  assert.deepEqual(await ask("/livez"), [200, "ok"]);
  assert.deepEqual(await ask("/readyz/etcd", monitor), [200, "ok"]);
  assert.deepEqual(await ask("/healthz?verbose"), [
    200,
    "[+]ping ok\n[+]log ok\n[+]etcd ok\nhealthz check passed\n",
  ]);
  assert.equal((await ask("/readyz/nothing", monitor))[0], 404);
  // Upstream tells strangers of the whole only.
  assert.equal((await ask("/readyz/etcd"))[0], 403);
  assert.equal((await ask("/metrics"))[0], 403);
  assert.equal((await ask("/version"))[0], 200);
});

test("/metrics/slis counts the checks that the whole of an endpoint makes", async () => {
  await using api = await createTestServer();
  for (const path of ["/livez", "/livez?exclude=log", "/livez/ping"])
    await api.send("GET", path, { user: monitor });
  const { text } = await api.send("GET", "/metrics/slis", { user: monitor });
  const counted = text.split("\n").filter((line) => line.startsWith("kubernetes_"));
  assert.deepEqual(counted.toSorted(), [
    'kubernetes_healthchecks_total{name="etcd",type="livez",status="success"} 2',
    'kubernetes_healthchecks_total{name="log",type="livez",status="success"} 1',
    'kubernetes_healthchecks_total{name="ping",type="livez",status="success"} 2',
    'kubernetes_healthcheck{name="etcd",type="livez"} 1',
    'kubernetes_healthcheck{name="log",type="livez"} 1',
    'kubernetes_healthcheck{name="ping",type="livez"} 1',
  ]);
});

test("readyz fails while the server stops", async () => {
  const api = await createTestServer();
  await api[Symbol.asyncDispose]();
  const { status, text } = await api.send("GET", "/readyz");
  assert.equal(status, 500);
  assert.match(text, /\[-\]shutdown failed: reason withheld\nreadyz check failed\n$/);
});

test("discovery comes in the old form and all at once, with a tag", async () => {
  await using api = await createTestServer();
  const groups = (await api.send("GET", "/apis")).body;
  assert.equal(groups.kind, "APIGroupList");
  assert.equal((await api.send("GET", "/apis/apps")).body.kind, "APIGroup");
  assert.equal((await api.send("GET", "/api/v1")).body.kind, "APIResourceList");
  assert.equal((await api.send("GET", "/apis/none/v1")).status, 404);
  const accept =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const all = await api.send("GET", "/apis", { headers: { accept } });
  assert.equal(all.body.kind, "APIGroupDiscoveryList");
  const etag = new Map(all.headers).get("etag") ?? "";
  const again = await api.send("GET", "/apis", { headers: { accept, "if-none-match": etag } });
  assert.deepEqual([again.status, again.text], [304, ""]);
});

const files: OpenApiFiles = {
  v2: () => Promise.resolve({ bytes: new TextEncoder().encode("{}"), hash: "H2" }),
  v3Index: () => Promise.resolve(new Map([["apis/apps/v1", "H3"]])),
  v3: (path) =>
    Promise.resolve(
      path === "apis/apps/v1"
        ? { bytes: new TextEncoder().encode('{"openapi":"3.0.0"}'), hash: "H3" }
        : undefined,
    ),
};

test("OpenAPI documents come from their files and are cached by their hash", async () => {
  await using api = await createTestServer({ openApi: files });
  const index = (await api.send("GET", "/openapi/v3")).body as { paths: JsonObject };
  assert.deepEqual(index.paths["apis/apps/v1"], {
    serverRelativeURL: "/openapi/v3/apis/apps/v1?hash=H3",
  });
  const document = await api.send("GET", "/openapi/v3/apis/apps/v1?hash=H3");
  assert.deepEqual(document.body, { openapi: "3.0.0" });
  assert.equal(new Map(document.headers).get("cache-control"), "public, immutable");
  const etag = new Map((await api.send("GET", "/openapi/v2")).headers).get("etag") ?? "";
  const tagged = { headers: { "if-none-match": etag } };
  assert.equal((await api.send("GET", "/openapi/v2", tagged)).status, 304);
  assert.equal((await api.send("GET", "/openapi/v3/apis/none/v1")).status, 404);
});

test("metrics count requests under names that exist, and stored objects", async () => {
  await using api = await createTestServer();
  await api.send("GET", "/api/v1/namespaces");
  await api.send("GET", "/api/v1/made-up-by-a-caller");
  const { text } = await api.send("GET", "/metrics");
  assert.match(text, /^apiserver_storage_objects\{resource="namespaces"\} 4$/m);
  assert.match(
    text,
    /^apiserver_request_total\{verb="LIST",group="",version="v1",resource="namespaces",subresource="",scope="cluster",component="apiserver",dry_run="",code="200",system_client=""\} 1$/m,
  );
  assert.match(
    text,
    /^etcd_request_duration_seconds_count\{operation="create",group="",resource="namespaces"\} 4$/m,
  );
  assert.doesNotMatch(text, /made-up/);
});

test("profiles are for those who may get them, and one is taken at a time", async () => {
  const taking = Promise.withResolvers<string>();
  const profiler = { cpu: () => taking.promise, heap: () => Promise.resolve("{}") };
  await using api = await createTestServer({ profiler });
  const path = "/debug/pprof/profile?seconds=1";
  const stranger = { name: "jane", groups: ["system:authenticated"] };
  assert.equal((await api.send("GET", path, { user: stranger })).status, 403);
  assert.equal((await api.send("GET", `${path}000`)).status, 400);
  const first = api.send("GET", path);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await api.send("GET", "/debug/pprof/heap")).status, 409);
  taking.resolve('{"nodes":[]}');
  assert.deepEqual((await first).body, { nodes: [] });
  assert.equal((await api.send("GET", "/debug/pprof/heap")).status, 200);
});

test("a new cluster has its namespaces, classes and the service of the server itself", async () => {
  await using api = await createTestServer({
    serviceNetwork: {
      serviceCidr: "10.96.0.0/16",
      apiServerAddress: { ip: "192.0.2.1", port: 6443 },
    },
  });
  const names = async (path: string) => {
    const { body } = await api.send("GET", path);
    return (body.items as JsonObject[]).map((item) => (item.metadata as JsonObject).name);
  };
  assert.deepEqual(await names("/api/v1/namespaces"), [
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
  ]);
  assert.deepEqual(await names("/apis/scheduling.k8s.io/v1/priorityclasses"), [
    "system-cluster-critical",
    "system-node-critical",
  ]);
  const service = (await api.send("GET", "/api/v1/namespaces/default/services/kubernetes")).body;
  assert.equal((service.spec as JsonObject).clusterIP, "10.96.0.1");
  const endpoints = (await api.send("GET", "/api/v1/namespaces/default/endpoints/kubernetes")).body;
  assert.deepEqual(endpoints.subsets, [
    { addresses: [{ ip: "192.0.2.1" }], ports: [{ name: "https", port: 6443, protocol: "TCP" }] },
  ]);
});
