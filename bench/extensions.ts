import { Agent, request } from "node:https";
import { buffer } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import type { JsonObject } from "#api/kind.ts";
import { createOutgoing } from "#apiserver/node/outgoing/outgoing.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";
import { startWebhookServer, type WebhookServer } from "#test/webhook-server.ts";

/**
 * What extensions cost: creating an object without and with webhooks, and reading one through a conversion webhook,
 * each beside a bare request over HTTPS to the same server; in one process, one after the other, the best of several
 * rounds.
 */
const rounds = 8;
const requests = 400;
const maps = "/api/v1/namespaces/default/configmaps";

await using webhook = await startWebhookServer(({ body }) => {
  const asked = objectAt(body, "request");
  const converted = asked.objects as JsonObject[] | undefined;
  const response: JsonObject = converted
    ? {
        uid: asked.uid ?? "",
        result: { status: "Success" },
        convertedObjects: converted.map((one) => ({
          ...one,
          apiVersion: asked.desiredAPIVersion ?? "",
        })),
      }
    : { uid: asked.uid ?? "", allowed: true };
  const { kind = "", apiVersion = "" } = body;
  return { body: { kind, apiVersion, response } };
});
using outgoing = createOutgoing();
const bare = new Agent({ keepAlive: true });
const review = Buffer.from(
  JSON.stringify({ kind: "AdmissionReview", apiVersion: "v1", request: {} }),
);

const rows: [name: string, micros: number][] = [];
await using plain = await createTestServer({ outgoing });
const raw = await best((index) => post(webhook, index));
rows.push(["a request over HTTPS alone", raw]);
rows.push(["create", await best((index) => create(plain, index))]);
for (const count of [1, 4]) {
  await using api = await createTestServer({ outgoing });
  await register(api, count);
  const name = `create, ${count} validating webhook${count > 1 ? "s" : ""}`;
  rows.push([name, await best((index) => create(api, index))]);
}
await using custom = await createTestServer({ outgoing });
await define(custom);
await custom.send("POST", hostsAt("v1"), { body: { metadata: { name: "a" } } });
rows.push(["get, converted before", await best(() => custom.send("GET", `${hostsAt("v2")}/a`))]);
const changed = await best(async (index) => {
  await custom.send("PATCH", `${hostsAt("v1")}/a`, {
    body: { metadata: { labels: { index: String(index) } } },
    headers: { "content-type": "application/merge-patch+json" },
  });
  await custom.send("GET", `${hostsAt("v2")}/a`);
});
rows.push(["change in one version, get in another", changed]);
console.log(`${"".padEnd(40)}${"µs".padStart(8)}${"ratio to HTTPS alone".padStart(24)}`);
for (const [name, micros] of rows) {
  console.log(
    name.padEnd(40) + micros.toFixed(0).padStart(8) + (micros / raw).toFixed(2).padStart(24),
  );
}
bare.destroy();

async function best(act: (index: number) => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    for (let index = 0; index < requests; index += 1) await act(round * requests + index);
    least = Math.min(least, ((performance.now() - start) * 1_000) / requests);
    await setImmediate();
  }
  return least;
}

function create(api: TestServer, index: number): Promise<unknown> {
  return api.send("POST", `${maps}?dryRun=All`, {
    body: { metadata: { name: `x-${index}` }, data: { index: String(index) } },
  });
}

async function post({ port, caBundle }: WebhookServer, index: number): Promise<unknown> {
  const ca = Buffer.from(caBundle, "base64").toString();
  const options = { agent: bare, host: "127.0.0.1", port, path: `/${index}`, method: "POST", ca };
  const outgoing = request(options);
  outgoing.end(review);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  outgoing.once("response", (answer) => void buffer(answer).then(resolve, reject));
  outgoing.once("error", reject);
  return promise;
}

async function register(api: TestServer, count: number): Promise<void> {
  const one = (index: number): JsonObject => ({
    name: `hook-${index}.example.com`,
    clientConfig: { url: `${webhook.url}/${index}`, caBundle: webhook.caBundle },
    rules: [
      { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
    ],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
  });
  const body = {
    metadata: { name: "hooks" },
    webhooks: Array.from({ length: count }, (_, index) => one(index)),
  };
  const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  await api.send("POST", path, { body });
}

function hostsAt(version: string): string {
  return `/apis/example.com/${version}/hosts`;
}

async function define(api: TestServer): Promise<void> {
  const version = (name: string): JsonObject => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object" } },
  });
  await api.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      metadata: { name: "hosts.example.com" },
      spec: {
        group: "example.com",
        scope: "Cluster",
        names: { plural: "hosts", kind: "Host" },
        versions: [version("v1"), version("v2")],
        conversion: {
          strategy: "Webhook",
          webhook: {
            clientConfig: { url: `${webhook.url}/convert`, caBundle: webhook.caBundle },
            conversionReviewVersions: ["v1"],
          },
        },
      },
    },
  });
  while ((await api.send("GET", hostsAt("v2"))).status !== 200) await setImmediate();
}
