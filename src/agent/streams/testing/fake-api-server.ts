import { createServer, request as httpsRequest } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:tls";

export interface FakeApiServerOptions {
  readonly tls: { readonly cert: string; readonly key: string };
  readonly node: {
    readonly port: number;
    readonly credentials: { readonly ca: string; readonly cert: string; readonly key: string };
  };
}

/** As much of an API server as kubectl needs for streams: discovery, one pod, and the pass to the node. */
export async function createFakeApiServer(
  options: FakeApiServerOptions,
): Promise<{ readonly url: string } & Disposable> {
  const server = createServer(options.tls);
  server.on("request", (request, response) => answer(request, response, options));
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) =>
    passUpgrade(request, { socket, head }, options),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const pod = {
  kind: "Pod",
  apiVersion: "v1",
  metadata: { name: "web", namespace: "default" },
  spec: { containers: [{ name: "c", image: "i", stdin: true }] },
  status: { phase: "Running" },
};

const objects: Readonly<Record<string, unknown>> = {
  "/api": { kind: "APIVersions", versions: ["v1"] },
  "/apis": { kind: "APIGroupList", apiVersion: "v1", groups: [] },
  "/api/v1": {
    kind: "APIResourceList",
    groupVersion: "v1",
    resources: [
      { name: "pods", singularName: "pod", namespaced: true, kind: "Pod", verbs: ["get"] },
    ],
  },
  "/api/v1/namespaces/default/pods/web": pod,
};

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { node }: FakeApiServerOptions,
): void {
  const path = nodePath(request.url ?? "");
  if (path !== undefined) {
    const passed = httpsRequest({ host: "127.0.0.1", port: node.port, path, ...node.credentials });
    passed.on("response", (answered) => {
      response.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(response);
    });
    passed.end();
    return;
  }
  const object = objects[request.url?.split("?", 1)[0] ?? ""];
  response.writeHead(object === undefined ? 404 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(object ?? { kind: "Status", apiVersion: "v1", code: 404 }));
}

/** Sends the request on under the node's path, then nothing but bytes both ways. */
function passUpgrade(
  request: IncomingMessage,
  { socket, head }: { readonly socket: Socket; readonly head: Buffer },
  { node }: FakeApiServerOptions,
): void {
  const far = connect({ host: "127.0.0.1", port: node.port, ...node.credentials });
  const lines = [`${request.method} ${nodePath(request.url ?? "")} HTTP/1.1`];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    lines.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
  }
  far.setNoDelay(true);
  far.write(`${lines.join("\r\n")}\r\n\r\n`);
  far.write(head);
  far.pipe(socket).pipe(far);
  far.on("error", () => socket.destroy());
  socket.on("error", () => far.destroy());
  socket.on("close", () => far.destroy());
}

function nodePath(url: string): string | undefined {
  const { pathname, searchParams } = new URL(url, "https://api");
  const [, namespace, name, verb] =
    /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/(exec|attach|portforward|log)$/.exec(
      pathname,
    ) ?? [];
  const container = searchParams.get("container") ?? "c";
  const paths: Readonly<Record<string, string>> = {
    exec: `/exec/${namespace}/${name}/${container}`,
    attach: `/attach/${namespace}/${name}/${container}`,
    log: `/containerLogs/${namespace}/${name}/${container}`,
    portforward: `/portForward/${namespace}/${name}`,
  };
  return verb === undefined ? undefined : `${paths[verb]}?${searchParams.toString()}`;
}
