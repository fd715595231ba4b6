import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";

/** What a registry must answer for one image to be pulled, by anybody who gives the password; at 127.0.0.1. */
export async function startPrivateRegistry(options: {
  readonly user: string;
  readonly password: string;
  /** An OCI archive of one image. */
  readonly archive: Buffer;
}) {
  const files = await filesOf(options.archive);
  const index = JSON.parse(files.get("index.json")?.toString() ?? "") as {
    manifests: { digest: string; mediaType: string }[];
  };
  const [manifest] = index.manifests;
  const wanted = `Basic ${Buffer.from(`${options.user}:${options.password}`).toString("base64")}`;
  const server = createServer((request, response) => {
    if (request.headers.authorization !== wanted) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    const [, kind, name = ""] = /\/(manifests|blobs)\/(.+)$/.exec(request.url ?? "") ?? [];
    const digest = name.startsWith("sha256:") ? name : (manifest?.digest ?? "");
    const content = files.get(`blobs/${digest.replace(":", "/")}`);
    if (kind === undefined) response.end("{}");
    else if (content === undefined) response.writeHead(404).end();
    else {
      const type = kind === "manifests" ? manifest?.mediaType : "application/octet-stream";
      response.writeHead(200, {
        "content-type": type,
        "content-length": content.length,
        "docker-content-digest": digest,
      });
      response.end(request.method === "HEAD" ? undefined : content);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function filesOf(archive: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader) files.set(entry.header.name, await buffer(entry));
  return files;
}
