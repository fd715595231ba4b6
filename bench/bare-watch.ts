import { createSecureServer } from "node:http2";
import type { Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";

// A bare server of open answers: the number its parent sends is how many events each of them gets.
const event = Buffer.from(`{"type":"MODIFIED","object":"${"x".repeat(1_400)}"}\n`);
const pki = createMemoryPki(Date.now());
const { key, certificate } = pki.certificate("bare", {
  subject: { commonName: "localhost" },
  use: "server",
  ipAddresses: ["127.0.0.1"],
});
const open = new Set<Http2ServerResponse>();
const server = createSecureServer({
  key,
  cert: certificate,
  settings: { maxConcurrentStreams: 1_000 },
});
server.on("request", (_request, response) => {
  open.add(response);
  response.on("close", () => open.delete(response));
  response.on("error", () => {});
  response.stream.respond({ ":status": 200, "content-type": "application/json" });
});
server.listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port, ca: pki.authority.certificate });
});
process.on("message", (writes: number) => void writeAll(writes));
process.on("disconnect", () => process.exit());

async function writeAll(writes: number): Promise<void> {
  for (let count = 0; count < writes; count += 1) {
    for (const response of open) response.stream.write(event);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
