import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

/** What the conformance suite asks of discovery, test by test (docs/conformance.md). */
const expected = [
  "v1 namespaces",
  "admissionregistration.k8s.io/v1 validatingwebhookconfigurations",
  "apiextensions.k8s.io/v1 customresourcedefinitions",
  "apiregistration.k8s.io/v1 apiservices",
  "apps/v1 deployments",
  "authentication.k8s.io/v1 tokenreviews",
  "authorization.k8s.io/v1 selfsubjectaccessreviews",
  "autoscaling/v1 horizontalpodautoscalers",
  "autoscaling/v2 horizontalpodautoscalers",
  "batch/v1 jobs",
  "certificates.k8s.io/v1 certificatesigningrequests",
  "coordination.k8s.io/v1 leases",
  "discovery.k8s.io/v1 endpointslices",
  "events.k8s.io/v1 events",
  "networking.k8s.io/v1 ingresses",
  "node.k8s.io/v1 runtimeclasses",
  "policy/v1 poddisruptionbudgets",
  "scheduling.k8s.io/v1 priorityclasses",
  "storage.k8s.io/v1 csinodes",
];

const noxu = {
  metadata: { name: "noxus.stable.example.com" },
  spec: {
    group: "stable.example.com",
    scope: "Namespaced",
    names: { plural: "noxus", singular: "noxu", kind: "Noxu", listKind: "NoxuList" },
    versions: [
      { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
    ],
  },
};
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

test("aggregated discovery has every built-in resource, and those of definitions as they come and go", async () => {
  await using api = await createTestServer();
  const found = await aggregated(api);
  assert.deepEqual(
    expected.filter((one) => !found.has(one)),
    [],
  );
  const hasNoxu = async () => (await aggregated(api)).has("stable.example.com/v1 noxus");
  assert.equal((await api.send("POST", definitions, { body: noxu })).status, 201);
  while (!(await hasNoxu())) await new Promise((resolve) => setImmediate(resolve));
  await api.send("DELETE", `${definitions}/${noxu.metadata.name}`);
  while (await hasNoxu()) await new Promise((resolve) => setImmediate(resolve));
});

test("each group has its preferred version among its versions, and each version its resources", async () => {
  await using api = await createTestServer();
  const { groups } = (await api.send("GET", "/apis")).body as unknown as { groups: Group[] };
  const found = new Set<string>();
  for (const { name, versions, preferredVersion } of groups) {
    const alone = (await api.send("GET", `/apis/${name}`)).body;
    assert.deepEqual([alone.kind, alone.name], ["APIGroup", name]);
    assert.deepEqual([alone.versions, alone.preferredVersion], [versions, preferredVersion]);
    assert.ok(versions.some(({ groupVersion }) => groupVersion === preferredVersion.groupVersion));
    for (const { groupVersion } of versions) {
      const list = (await api.send("GET", `/apis/${groupVersion}`)).body;
      assert.deepEqual([list.kind, list.groupVersion], ["APIResourceList", groupVersion]);
      for (const resource of list.resources as JsonObject[]) {
        assert.ok(resource.kind !== "" && Array.isArray(resource.verbs));
        found.add(`${groupVersion} ${resource.name as string}`);
      }
    }
  }
  const missing = expected.filter((one) => !one.startsWith("v1 ") && !found.has(one));
  assert.deepEqual(missing, []);
});

interface Group {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string }[];
  readonly preferredVersion: { readonly groupVersion: string };
}

interface Discovered {
  readonly metadata?: { readonly name?: string };
  readonly versions: readonly {
    readonly version: string;
    readonly resources: readonly { readonly resource: string }[];
  }[];
}

/** Every resource as `GROUP/VERSION RESOURCE`, from both endpoints. */
async function aggregated(api: TestServer): Promise<ReadonlySet<string>> {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const found = new Set<string>();
  for (const path of ["/api", "/apis"]) {
    const { body } = await api.send("GET", path, { headers: { accept } });
    assert.deepEqual(
      [body.kind, body.apiVersion],
      ["APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"],
    );
    for (const { metadata, versions } of body.items as unknown as Discovered[]) {
      const prefix = metadata?.name ? `${metadata.name}/` : "";
      for (const { version, resources } of versions) {
        for (const { resource } of resources) found.add(`${prefix}${version} ${resource}`);
      }
    }
  }
  return found;
}
