import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";
import { certificateRequest } from "#test/conformance/sample-objects.ts";

// What single tests of the conformance suite look at, in the order of its names.

const core = "/api/v1/namespaces/default";
const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
const mergePatch = { "content-type": "application/merge-patch+json" };

async function server(): Promise<TestServer> {
  const api = await createTestServer();
  await api.send("POST", `${core}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  return api;
}

function pod(name: string, spec: JsonObject = {}, container: JsonObject = {}): JsonObject {
  return {
    metadata: { name, labels: { app: name } },
    spec: { containers: [{ name: "c", image: "x", ...container }], ...spec },
  };
}

test("a review has no table: 406", async () => {
  await using api = await server();
  const refused = await api.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    body: { spec: { nonResourceAttributes: { path: "/", verb: "get" } } },
    headers: { accept: table, "content-type": "application/json" },
  });
  assert.deepEqual([refused.status, refused.body.reason], [406, "NotAcceptable"]);
});

test("a pod that has ended is marked in tables of lists, gets and watches", async () => {
  await using api = await server();
  const made = await api.send("POST", `${core}/pods`, { body: pod("a") });
  assert.equal(made.status, 201, made.text);
  const body = { status: { phase: "Succeeded" } };
  await api.send("PATCH", `${core}/pods/a/status`, { body, headers: mergePatch });
  const conditions = [
    {
      type: "Completed",
      status: "True",
      reason: "Succeeded",
      message: "The pod has completed successfully.",
    },
  ];
  for (const path of [`${core}/pods`, `${core}/pods/a`]) {
    const { rows } = (await api.send("GET", path, { headers: { accept: table } })).body;
    assert.deepEqual((rows as JsonObject[])[0]?.conditions, conditions);
  }
});

test("chunks tell how many objects remain, and the last one does not", async () => {
  await using api = await server();
  for (let at = 0; at < 40; at += 1) {
    const body = { metadata: { name: `template-${at}` }, template: { spec: pod("x").spec } };
    await api.send("POST", `${core}/podtemplates`, { body });
  }
  let token = "";
  let seen = 0;
  const versions = new Set<unknown>();
  for (const limit of [7, 13, 5, 15]) {
    const query = `limit=${limit}${token === "" ? "" : `&continue=${token}`}`;
    const { items, metadata } = (await api.send("GET", `${core}/podtemplates?${query}`)).body as {
      items: JsonObject[];
      metadata: JsonObject;
    };
    seen += items.length;
    versions.add(metadata.resourceVersion);
    assert.equal(metadata.remainingItemCount, seen === 40 ? undefined : 40 - seen);
    token = String((metadata.continue as string | undefined) ?? "");
  }
  assert.deepEqual([seen, token, versions.size], [40, "", 1]);
});

test("config maps and secrets that are immutable stay as they are, and stay immutable", async () => {
  await using api = await server();
  for (const resource of ["configmaps", "secrets"]) {
    const path = `${core}/${resource}/a`;
    await api.send("POST", `${core}/${resource}`, {
      body: { metadata: { name: "a" }, data: { a: "MQ==" } },
    });
    const change = async (body: JsonObject) =>
      (await api.send("PATCH", path, { body, headers: mergePatch })).status;
    assert.equal(await change({ data: { a: "Mg==" } }), 200);
    assert.equal(await change({ immutable: true }), 200);
    assert.equal(await change({ data: { a: "Mw==" } }), 422);
    assert.equal(await change({ immutable: false }), 422);
    assert.equal(await change({ metadata: { labels: { a: "b" } } }), 200);
    assert.equal((await api.send("DELETE", path)).status, 200);
  }
});

test("an empty key of a config map or a secret is refused", async () => {
  await using api = await server();
  for (const resource of ["configmaps", "secrets"]) {
    const body = { metadata: { name: "a" }, data: { "": "MQ==" } };
    const refused = await api.send("POST", `${core}/${resource}`, { body });
    assert.deepEqual([refused.status, refused.body.reason], [422, "Invalid"]);
  }
});

test("watches that begin together see the same events in the same order", async () => {
  await using api = await server();
  const watches = await Promise.all(
    Array.from({ length: 5 }, () => api.watch(`${core}/configmaps?watch=1`)),
  );
  for (let at = 0; at < 30; at += 1) {
    const name = `map-${at % 5}`;
    const made = await api.send("POST", `${core}/configmaps`, { body: { metadata: { name } } });
    if (made.status === 409) await api.send("DELETE", `${core}/configmaps/${name}`);
  }
  const orders = await Promise.all(
    watches.map(async (watch) => {
      watch.close();
      const seen: string[] = [];
      for (let event = await watch.next(); event; event = await watch.next()) {
        seen.push(
          `${event.type} ${(event.object.metadata as JsonObject).resourceVersion as string}`,
        );
      }
      return seen;
    }),
  );
  assert.ok((orders[0]?.length ?? 0) >= 30);
  for (const order of orders) assert.deepEqual(order, orders[0]);
});

test("a pod's class of service follows its requests and limits", async () => {
  await using api = await server();
  const amounts = { cpu: "100m", memory: "100Mi" };
  const classes: unknown[] = [];
  const wishes: readonly JsonObject[] = [
    {},
    { requests: amounts },
    { requests: amounts, limits: amounts },
  ];
  for (const resources of wishes) {
    const name = `p${classes.length}`;
    const { body } = await api.send("POST", `${core}/pods`, { body: pod(name, {}, { resources }) });
    classes.push((body.status as JsonObject).qosClass);
  }
  assert.deepEqual(classes, ["BestEffort", "Burstable", "Guaranteed"]);
});

test("keys of labels become requirements of a new pod's selectors", async () => {
  await using api = await server();
  const term = {
    topologyKey: "zone",
    labelSelector: { matchLabels: { app: "a" } },
    matchLabelKeys: ["hash", "none"],
  };
  const spread = { ...term, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" };
  const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const body = {
    ...pod("a", { affinity, topologySpreadConstraints: [spread] }),
    metadata: { name: "a", labels: { app: "a", hash: "7" } },
  };
  const made = await api.send("POST", `${core}/pods`, { body });
  assert.equal(made.status, 201, made.text);
  const { affinity: written, topologySpreadConstraints } = made.body.spec as {
    affinity: typeof affinity;
    topologySpreadConstraints: (typeof spread)[];
  };
  const wanted = {
    matchLabels: { app: "a" },
    matchExpressions: [{ key: "hash", operator: "In", values: ["7"] }],
  };
  assert.deepEqual(topologySpreadConstraints[0]?.labelSelector, wanted);
  assert.deepEqual(
    written.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]?.labelSelector,
    wanted,
  );
});

test("wrong sysctls are refused with a cause each", async () => {
  await using api = await server();
  const names = ["foo-", "kernel.shmmax", "safe-and-unsafe", "bar.."];
  const sysctls = names.map((name) => ({ name, value: "1" }));
  const body = pod("a", { securityContext: { sysctls } });
  const refused = await api.send("POST", `${core}/pods`, { body });
  const { causes } = refused.body.details as { causes: JsonObject[] };
  assert.deepEqual(
    causes.map(({ field }) => field),
    ["spec.securityContext.sysctls[0].name", "spec.securityContext.sysctls[3].name"],
  );
});

test("new tolerations may leave out those that every pod has", async () => {
  await using api = await server();
  const made = await api.send("POST", `${core}/pods`, { body: pod("a") });
  assert.equal(made.status, 201, made.text);
  const spec = {
    ...(made.body.spec as JsonObject),
    tolerations: [{ key: "x", operator: "Exists" }],
  };
  const body = { ...made.body, spec };
  const changed = await api.send("PUT", `${core}/pods/a`, { body });
  assert.equal(changed.status, 200, changed.text);
  const { tolerations } = changed.body.spec as { tolerations: JsonObject[] };
  assert.deepEqual(
    tolerations.map(({ key }) => key),
    ["x", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"],
  );
});

test("a namespace takes finalizers and conditions, and a status that is patched", async () => {
  await using api = await server();
  await api.send("POST", "/api/v1/namespaces", { body: { metadata: { name: "a" } } });
  const got = (await api.send("GET", "/api/v1/namespaces/a")).body;
  const spec = got.spec as { finalizers: string[] };
  assert.deepEqual(spec.finalizers, ["kubernetes"]);
  const finalized = await api.send("PUT", "/api/v1/namespaces/a/finalize", {
    body: { ...got, spec: { finalizers: ["kubernetes", "e2e.example.com/fake"] } },
  });
  assert.deepEqual((finalized.body.spec as JsonObject).finalizers, [
    "kubernetes",
    "e2e.example.com/fake",
  ]);
});

test("an event's series is patched in either version, and both see one object", async () => {
  await using api = await server();
  await api.send("POST", `/apis/events.k8s.io/v1/namespaces/default/events`, {
    body: {
      metadata: { name: "a", labels: { x: "1" } },
      eventTime: "2026-01-01T00:00:00.000001Z",
      reportingController: "c",
      reportingInstance: "c-1",
      action: "Do",
      reason: "Because",
      type: "Normal",
      regarding: { kind: "Pod", namespace: "default", name: "x" },
    },
  });
  const series = { count: 2, lastObservedTime: "2026-01-01T00:00:01.000002Z" };
  const path = "/apis/events.k8s.io/v1/namespaces/default/events/a";
  const patched = await api.send("PATCH", path, { body: { series }, headers: mergePatch });
  assert.equal(patched.status, 200, patched.text);
  const { body } = await api.send("GET", `${core}/events/a`);
  assert.deepEqual([body.apiVersion, body.series, body.reportingComponent], ["v1", series, "c"]);
  for (const selected of [
    `${core}/events?fieldSelector=source%3Dc%2CreportingComponent%3Dc`,
    `/apis/events.k8s.io/v1/events?fieldSelector=reportingController%3Dc%2Cregarding.name%3Dx`,
  ]) {
    assert.equal(
      ((await api.send("GET", selected)).body.items as JsonObject[]).length,
      1,
      selected,
    );
  }
  await api.send("DELETE", `${core}/events?labelSelector=x%3D1`);
  assert.equal((await api.send("GET", path)).status, 404);
});

test("a version that lies ahead is waited for, then refused with 504 and when to come back", async () => {
  await using api = await server();
  const waiting = api.send("GET", `${core}/configmaps?resourceVersion=99999`);
  await new Promise((resolve) => setImmediate(resolve));
  api.clock.advance(3_000);
  const refused = await waiting;
  const { details, message } = refused.body as { details: JsonObject; message: string };
  assert.equal(refused.status, 504);
  assert.match(message, /^Timeout: Too large resource version: 99999, current: \d+$/);
  assert.deepEqual(details, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
  assert.equal(new Map(refused.headers).get("retry-after"), "1");
});

test("the server tells its version as clients read it", async () => {
  await using api = await server();
  // As clients of protobuf ask, of everything.
  const headers = { accept: "application/vnd.kubernetes.protobuf,application/json" };
  const { body } = await api.send("GET", "/version", { headers });
  assert.match(`${body.major as string}.${body.minor as string}`, /^1\.36\+?$/);
  assert.match(String(body.gitVersion as string), /^v1\.36\./);
});

test("an approval takes metadata along, and neither what is asked for nor the certificate", async () => {
  await using api = await server();
  const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests/a";
  const request = certificateRequest();
  const spec = { request, signerName: "example.com/signer", usages: ["client auth"] };
  const made = await api.send("POST", path.slice(0, -2), {
    body: { metadata: { name: "a" }, spec },
  });
  assert.equal(made.status, 201, made.text);
  const body = {
    metadata: { annotations: { by: "jane" } },
    spec: { signerName: "example.com/other" },
    status: {
      certificate: "bm8=",
      conditions: [{ type: "Approved", status: "True", reason: "Test", message: "yes" }],
    },
  };
  const approved = await api.send("PATCH", `${path}/approval`, { body, headers: mergePatch });
  assert.equal(approved.status, 200, approved.text);
  const {
    metadata,
    spec: kept,
    status,
  } = approved.body as {
    metadata: JsonObject;
    spec: JsonObject;
    status: JsonObject;
  };
  assert.deepEqual(metadata.annotations, { by: "jane" });
  assert.equal(kept.signerName, "example.com/signer");
  assert.equal(status.certificate, undefined);
  assert.deepEqual(
    (status.conditions as JsonObject[]).map(({ type }) => type),
    ["Approved"],
  );
});
