import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

/** What the conformance suite asks of pods as objects, test by test (docs/conformance.md). */
const namespace = "/api/v1/namespaces/default";
const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const container = { name: "c", image: "registry.example/web:1" };

test("a pod, or else its account, may opt out of having a token mounted", async () => {
  await using api = await createTestServer();
  const wishes = [undefined, true, false];
  const mounted: unknown[] = [];
  const expected: unknown[] = [];
  for (const account of wishes) {
    const name = `mount-${account}`;
    await api.send("POST", `${namespace}/serviceaccounts`, {
      body: { metadata: { name }, ...wishFor(account) },
    });
    for (const pod of wishes) {
      const made = await makePod(api, `${name}-${pod}`, {
        serviceAccountName: name,
        containers: [container],
        ...wishFor(pod),
      });
      const [first] = made.containers as { volumeMounts?: { mountPath: string }[] }[];
      const has = first?.volumeMounts?.some((mount) => mount.mountPath === mountPath) ?? false;
      mounted.push([account, pod, has]);
      expected.push([account, pod, pod ?? account ?? true]);
    }
  }
  assert.deepEqual(mounted, expected);
});

test("pods with volumes of a CSI driver in them are made, listed and deleted", async () => {
  await using api = await createTestServer();
  await api.send("POST", `${namespace}/serviceaccounts`, {
    body: { metadata: { name: "default" } },
  });
  const csi = { driver: "inline.example.com", volumeAttributes: { size: "1" } };
  for (const name of ["one", "two"]) {
    const spec = { containers: [container], volumes: [{ name: "inline", csi }] };
    const made = await makePod(api, name, spec);
    const volumes = made.volumes as JsonObject[];
    assert.deepEqual(volumes[0], { name: "inline", csi });
  }
  const names = async () => {
    const { items } = (await api.send("GET", `${namespace}/pods`)).body as unknown as {
      items: { metadata: { name: string } }[];
    };
    return items.map(({ metadata }) => metadata.name);
  };
  assert.deepEqual(await names(), ["one", "two"]);
  assert.equal((await api.send("DELETE", `${namespace}/pods/one`)).status, 200);
  assert.deepEqual(await names(), ["two"]);
});

function wishFor(automountServiceAccountToken: boolean | undefined): JsonObject {
  return automountServiceAccountToken === undefined ? {} : { automountServiceAccountToken };
}

async function makePod(api: TestServer, name: string, spec: JsonObject): Promise<JsonObject> {
  const body = { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
  const made = await api.send("POST", `${namespace}/pods`, { body });
  assert.equal(made.status, 201, made.text);
  return made.body.spec as JsonObject;
}
