import assert from "node:assert/strict";
import { test } from "node:test";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { configMap, maps, patch, register, rule, setUp } from "#test/webhook-setup.ts";

test("mutating webhooks change the object one after the other, with defaults in between", async () => {
  await using setup = await setUp((request) => {
    const data = objectAt(objectAt(request, "object"), "data");
    const next = `step-${Object.keys(data).length}`;
    return patch({ op: "add", path: `/data/${next}`, value: "yes" });
  });
  await register(setup, "Mutating", [{}, {}]);
  const { body } = await setup.api.send("POST", maps, { body: configMap("x") });
  assert.deepEqual(body.data, { a: "1", "step-1": "yes", "step-2": "yes" });
});

test("what a webhook adds to a pod gets its defaults", async () => {
  await using setup = await setUp(() => {
    const container = { name: "added", image: "busybox", nonsense: true };
    return patch({ op: "add", path: "/spec/initContainers", value: [container] });
  });
  const { api } = setup;
  await register(setup, "Mutating", [{ rules: [rule({ resources: ["pods"] })] }]);
  await api.send("POST", "/api/v1/namespaces/default/serviceaccounts", {
    body: { metadata: { name: "default" }, automountServiceAccountToken: false },
  });
  const spec = { containers: [{ name: "c", image: "i" }] };
  const pod = await api.send("POST", "/api/v1/namespaces/default/pods", {
    body: { metadata: { name: "p" }, spec },
  });
  assert.deepEqual(objectAt(pod.body, "spec").initContainers, [
    {
      name: "added",
      image: "busybox",
      imagePullPolicy: "Always",
      resources: {},
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
    },
  ]);
});

test("a webhook is asked once more when a later one has changed the object", async () => {
  await using setup = await setUp((request, { path }) => {
    const data = objectAt(objectAt(request, "object"), "data");
    if (path.startsWith("/1")) {
      return data.late ? {} : patch({ op: "add", path: "/data/late", value: "yes" });
    }
    return patch({ op: "add", path: "/data/seen", value: data.late ? "late" : "early" });
  });
  await register(setup, "Mutating", [{ reinvocationPolicy: "IfNeeded" }, {}]);
  const { body } = await setup.api.send("POST", maps, { body: configMap("x") });
  assert.deepEqual(
    [body.data, setup.hook.asked.map(({ path }) => path[1])],
    [{ a: "1", late: "yes", seen: "late" }, ["0", "1", "0"]],
  );
});

test("custom resources are mutated in their own version, and pruned", async () => {
  await using setup = await setUp(() =>
    patch(
      { op: "add", path: "/spec/added", value: "yes" },
      { op: "add", path: "/spec/odd", value: 1 },
    ),
  );
  const { api } = setup;
  const properties = { spec: { type: "object", properties: { added: { type: "string" } } } };
  const version = (name: string) => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object", properties } },
  });
  await api.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      metadata: { name: "hosts.example.com" },
      spec: {
        group: "example.com",
        scope: "Cluster",
        names: { plural: "hosts", kind: "Host" },
        versions: [version("v1"), version("v2")],
      },
    },
  });
  while ((await api.send("GET", "/apis/example.com/v2/hosts")).status !== 200) continue;
  const rules = [rule({ apiGroups: ["example.com"], apiVersions: ["v1"], resources: ["hosts"] })];
  await register(setup, "Mutating", [{ rules }]);
  const { body } = await api.send("POST", "/apis/example.com/v2/hosts", {
    body: { apiVersion: "example.com/v2", kind: "Host", metadata: { name: "a" }, spec: {} },
  });
  const [asked] = setup.hook.asked;
  const request = objectAt(asked?.body, "request");
  assert.deepEqual(
    [
      body.apiVersion,
      body.spec,
      objectAt(request, "kind").version,
      objectAt(request, "object").apiVersion,
    ],
    ["example.com/v2", { added: "yes" }, "v1", "example.com/v1"],
  );
});

test("an object that a webhook changes gets a generated name all the same, and stays where it is", async () => {
  await using setup = await setUp((_, { path }) =>
    path.startsWith("/0")
      ? patch({ op: "add", path: "/metadata/labels", value: { added: "yes" } })
      : patch({ op: "add", path: "/metadata/namespace", value: "kube-system" }),
  );
  const { api } = setup;
  await register(setup, "Mutating", [{}]);
  const made = await api.send("POST", maps, { body: { metadata: { generateName: "x-" } } });
  const { name, labels } = objectAt(made.body, "metadata");
  assert.match(stringAt({ name: name ?? "" }, "name"), /^x-[a-z0-9]{5}$/);
  assert.deepEqual([made.status, labels], [201, { added: "yes" }]);
  await register(setup, "Mutating", [{ rules: [] }, {}], "moves");
  const moved = await api.send("POST", maps, { body: configMap("y") });
  assert.equal(
    moved.body.message,
    "the namespace of the provided object does not match the namespace sent on the request",
  );
});
