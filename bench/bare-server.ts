import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";

// What Node can do at most: an HTTPS server, HTTP/1.1 and HTTP/2, that answers every request with the same bytes.
// `node bare-server.ts [FILE OF THE BYTES]`; it tells its port as JSON, and ends with its parent.
const [, , file] = process.argv;
const body = file === undefined ? Buffer.from("{}") : readFileSync(file);
const pki = createMemoryPki(Date.now());
const { key, certificate } = pki.certificate("bare", {
  subject: { commonName: "localhost" },
  use: "server",
  ipAddresses: ["127.0.0.1"],
});
const server = createSecureServer({ key, cert: certificate, allowHTTP1: true });
server.on("request", (request, response) => {
  request.resume();
  response.statusCode = 200;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-length", String(body.length));
  response.end(body);
});
server.listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port, ca: pki.authority.certificate });
});
process.on("disconnect", () => process.exit());
