import { deepEqual, equal, rejects } from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { configMaps } from "#api/resources.ts";
import { isNotFound } from "#api/status.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { linesOf } from "#client/node/lines.ts";

test("createHttpsTransport() carries queries, bodies, refusals and watches", async () => {
  const seen: string[] = [];
  await using server = await listen((method, url, body) => {
    seen.push(`${method} ${url} ${body}`);
    if (url.includes("watch=true")) {
      return [200, `{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n\n`];
    }
    if (url.endsWith("/gone")) {
      return [404, `{"kind":"Status","code":404,"reason":"NotFound","message":"no"}`];
    }
    return [200, body === "" ? `{"items":[]}` : body];
  });
  using transport = createHttpsTransport({ server: server.url });
  const client = createClient(transport);
  await rejects(client.get(configMaps, { namespace: "a", name: "gone" }), isNotFound);
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x", namespace: "a" } };
  const made = await client.create(configMaps, object, { dryRun: true });
  equal(Object.isFrozen(made.metadata), true);
  const signal = new AbortController().signal;
  const names = [];
  for await (const event of await client.watch(configMaps, { signal, labelSelector: "a in (b)" })) {
    names.push(event.type === "BOOKMARK" ? "" : event.object.metadata.name);
  }
  deepEqual(names, ["x"]);
  deepEqual(seen, [
    "GET /api/v1/namespaces/a/configmaps/gone ",
    `POST /api/v1/namespaces/a/configmaps?dryRun=All ${JSON.stringify(object)}`,
    "GET /api/v1/configmaps?labelSelector=a+in+%28b%29&watch=true ",
  ]);
});

test("linesOf() joins lines over chunks and refuses one that is too long", async () => {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (const text of ["a\nb", "c\n", "\n", "dddd"]) yield new TextEncoder().encode(text);
  };
  const lines: string[] = [];
  await rejects(async () => {
    for await (const line of linesOf(chunks(), 3)) lines.push(line);
  }, /a line exceeds 3 bytes/);
  deepEqual(lines, ["a", "bc"]);
});

async function listen(answer: (method: string, url: string, body: string) => [number, string]) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const [status, text] = answer(request.method ?? "", request.url ?? "", body);
      response.writeHead(status, { "content-type": "application/json" }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
