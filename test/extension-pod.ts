import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import type { JsonObject } from "#api/kind.ts";
import { createAuthority } from "#apiserver/node/pki/authority.ts";

/** The objects of a pod that is an admission webhook, a conversion webhook and a server of the API at once. */
export interface ExtensionPod {
  readonly objects: readonly JsonObject[];
  /** In base64. */
  readonly caBundle: string;
}

/** `frontProxy`: whom the pod believes when it is told who asks. For tests only. */
export function extensionPod(image: string, frontProxy: string): ExtensionPod {
  const authority = createAuthority(Date.now());
  const { key, certificate } = authority.issue({
    subject: { commonName: "extension" },
    use: "server",
    dnsNames: ["extension.default.svc"],
  });
  const metadata = { name: "extension", labels: { app: "extension" } };
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    stringData: { key, certificate, "front-proxy": frontProxy, "server.cjs": program },
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { selector: { app: "extension" }, ports: [{ port: 443, targetPort: 8443 }] },
  };
  return {
    objects: [secret, service, podOf(image, metadata)],
    caBundle: Buffer.from(authority.certificate).toString("base64"),
  };
}

/** Node itself comes from the machine, with the libraries it needs. */
function podOf(image: string, metadata: JsonObject): JsonObject {
  const node = dirname(realpathSync(process.execPath));
  const fromHost = { node, libraries: "/usr/lib", loader: "/usr/lib64" };
  const places = { node: "/opt/node", libraries: "/lib", loader: "/lib64", server: "/server" };
  const volumeMounts = Object.entries(places).map(([name, mountPath]) => ({
    name,
    mountPath,
    readOnly: true,
  }));
  const hostPaths = Object.entries(fromHost).map(([name, path]) => ({ name, hostPath: { path } }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: {
      containers: [
        {
          name: "server",
          image,
          imagePullPolicy: "Never",
          command: ["/opt/node/node", "/server/server.cjs"],
          volumeMounts,
          readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
        },
      ],
      volumes: [...hostPaths, { name: "server", secret: { secretName: "extension" } }],
      terminationGracePeriodSeconds: 1,
    },
  };
}

const program = `
const { createServer } = require("node:https");
const { readFileSync } = require("node:fs");
const file = (name) => readFileSync("/server/" + name);
const answers = {
  "/validate": ({ request }) => ({
    uid: request.uid,
    allowed: request.name !== "denied",
    status: { message: "this name is denied" },
  }),
  "/mutate": ({ request }) => ({
    uid: request.uid,
    allowed: true,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify([{ op: "add", path: "/data/mutated", value: "yes" }])).toString("base64"),
  }),
  "/convert": ({ request }) => ({
    uid: request.uid,
    result: { status: "Success" },
    convertedObjects: request.objects.map(({ hostPort, host, port, ...rest }) => ({
      ...rest,
      apiVersion: request.desiredAPIVersion,
      ...(request.desiredAPIVersion.endsWith("v1")
        ? { hostPort: host + ":" + port }
        : { host: hostPort.split(":")[0], port: hostPort.split(":")[1] }),
    })),
  }),
};
const group = "/apis/extension.example.com/v1";
const served = (request) => {
  if (!request.socket.authorized) return { kind: "Status", status: "Failure", code: 401 };
  if (request.url === group)
    return {
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion: "extension.example.com/v1",
      resources: [{ name: "callers", singularName: "caller", namespaced: false, kind: "Caller", verbs: ["get"] }],
    };
  const name = request.headers["x-remote-user"];
  return { kind: "Caller", apiVersion: "extension.example.com/v1", metadata: { name } };
};
const tls = { key: file("key"), cert: file("certificate"), ca: file("front-proxy") };
createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  const answer = answers[request.url.split("?")[0]];
  const review = text && answer ? JSON.parse(text) : undefined;
  const body = review
    ? { kind: review.kind, apiVersion: review.apiVersion, response: answer(review) }
    : served(request);
  response.writeHead(body.code ?? 200, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}).listen(8443);
`;
