/**
 * A driver of claims (Dynamic Resource Allocation) whose devices are `/dev/zero` under other names. See README.md beside
 * it.
 */
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  watchFile,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { ApiError, openApi } from "./api.ts";
import { draService, healthService, registrationService } from "./messages.ts";

const { values: options } = parseArgs({
  options: {
    kubeconfig: { type: "string" },
    node: { type: "string" },
    /** The node's folder: `DATA_DIR/nodes/NAME`. Sockets lie in `plugins_registry` and `plugins` there. */
    directory: { type: "string" },
    /** Where specifications of CDI devices are looked for: `DATA_DIR/cdi`, or `/var/run/cdi`. */
    "cdi-directory": { type: "string", default: "/var/run/cdi" },
    driver: { type: "string", default: "dra.example.com" },
    count: { type: "string", default: "2" },
    /** What it was asked for is noted in this file: `prepare NAME`, `unprepare NAME`. */
    calls: { type: "string" },
    /** A method that never answers: what a node does with drivers that hang. */
    hang: { type: "string" },
    /** A file with the names of devices that are broken, one a line; looked at when it changes. */
    broken: { type: "string" },
  },
});
const { kubeconfig = "", node = "", directory = "", driver, calls, hang, broken } = options;
const cdiDirectory = options["cdi-directory"];
const cdiKind = `${driver}/claim`;
const names = Array.from({ length: Number(options.count) }, (_, index) => `thing-${index}`);
const api = openApi(kubeconfig);
const slices = "/apis/resource.k8s.io/v1/resourceslices";

interface ClaimName {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

interface Claim {
  readonly metadata: { readonly uid: string };
  readonly status?: {
    readonly allocation?: {
      readonly devices?: {
        readonly results?: readonly {
          readonly driver: string;
          readonly pool: string;
          readonly device: string;
          readonly request: string;
        }[];
      };
    };
  };
}

interface Asked {
  readonly claims: readonly ClaimName[];
}

/** The devices that were allocated to a claim get names in a specification of their own, which makes them usable. */
async function prepare({ namespace, uid, name }: ClaimName) {
  note(`prepare ${name}`);
  const path = `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims/${name}`;
  const claim = (await api.send("GET", path)) as Claim;
  if (claim.metadata.uid !== uid) return { error: `ResourceClaim ${name} is another one now` };
  const results = claim.status?.allocation?.devices?.results ?? [];
  const own = results.filter((result) => result.driver === driver);
  writeSpec(
    uid,
    own.map(({ device }) => ({
      name: `${uid}-${device}`,
      containerEdits: {
        env: [`EXAMPLE_${device.toUpperCase().replaceAll("-", "_")}=${name}`],
        deviceNodes: [{ path: `/dev/${device}`, hostPath: "/dev/zero", permissions: "rw" }],
      },
    })),
  );
  return {
    devices: own.map(({ request, pool, device }) => ({
      requestNames: [request.split("/")[0]],
      poolName: pool,
      deviceName: device,
      cdiDeviceIds: [`${cdiKind}=${uid}-${device}`],
    })),
  };
}

function unprepare({ uid, name }: ClaimName) {
  note(`unprepare ${name}`);
  rmSync(specFile(uid), { force: true });
  return {};
}

function writeSpec(uid: string, devices: readonly object[]): void {
  mkdirSync(cdiDirectory, { recursive: true });
  const spec = { cdiVersion: "0.6.0", kind: cdiKind, devices };
  // Whoever reads the folder meanwhile must not see half of it.
  writeFileSync(`${specFile(uid)}.new`, JSON.stringify(spec));
  renameSync(`${specFile(uid)}.new`, specFile(uid));
}

const specFile = (uid: string): string => join(cdiDirectory, `${driver}-${uid}.json`);

function note(line: string): void {
  if (calls) appendFileSync(calls, `${line}\n`);
}

async function forAll(
  claims: readonly ClaimName[],
  work: (claim: ClaimName) => Promise<object> | object,
) {
  const done = claims.map(async (claim) => [
    claim.uid,
    await Promise.resolve(work(claim)).catch((error: unknown) => ({ error: String(error) })),
  ]);
  return { claims: Object.fromEntries(await Promise.all(done)) as object };
}

function unary(name: string, answer: (request: never) => Promise<object> | object) {
  const respond = async (request: object, send: sendUnaryData<object>): Promise<void> => {
    if (hang !== name) send(null, await answer(request as never));
  };
  return ({ request }: ServerUnaryCall<object, object>, send: sendUnaryData<object>): void => {
    void respond(request, send);
  };
}

async function serve(socket: string, add: (server: Server) => void): Promise<void> {
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  const server = new Server();
  add(server);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

function healths() {
  const ill = broken ? readNames(broken) : [];
  const lastUpdatedTime = Math.floor(Date.now() / 1000);
  return names.map((deviceName) => ({
    device: { poolName: node, deviceName },
    lastUpdatedTime,
    ...(ill.includes(deviceName) ? { health: 2, message: "it is broken" } : { health: 1 }),
  }));
}

function readNames(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

const endpoint = join(directory, "plugins", driver, "dra.sock");
await serve(endpoint, (server) => {
  server.addService(draService, {
    NodePrepareResources: unary("NodePrepareResources", ({ claims }: Asked) =>
      forAll(claims, prepare),
    ),
    NodeUnprepareResources: unary("NodeUnprepareResources", ({ claims }: Asked) =>
      forAll(claims, unprepare),
    ),
  });
  server.addService(healthService, {
    NodeWatchResources(call: ServerWritableStream<object, object>) {
      const tell = (): void => void call.write({ devices: healths() });
      // A node believes a report for half a minute.
      const again = setInterval(tell, 10_000);
      if (broken) watchFile(broken, { interval: 100 }, tell);
      call.on("cancelled", () => clearInterval(again));
      tell();
    },
  });
});
await serve(join(directory, "plugins_registry", `${driver}-reg.sock`), (server) => {
  server.addService(registrationService, {
    GetInfo: unary("GetInfo", () => ({
      type: "DRAPlugin",
      name: driver,
      endpoint,
      supportedVersions: ["v1.DRAPlugin", "v1alpha1.DRAResourceHealth"],
    })),
    NotifyRegistrationStatus: unary(
      "NotifyRegistrationStatus",
      (status: { readonly pluginRegistered: boolean; readonly error: string }) => {
        if (!status.pluginRegistered) process.stderr.write(`not registered: ${status.error}\n`);
        else process.stdout.write("registered\n");
        return {};
      },
    ),
  });
});

/** What can be allocated: the scheduler reads it. A node that starts again removes it; then it is made anew. */
async function publish(): Promise<void> {
  const name = `${node}-${driver}`;
  const devices = names.map((device) => ({
    name: device,
    attributes: { model: { string: "zero" } },
  }));
  const pool = { name: node, generation: 1, resourceSliceCount: 1 };
  const slice = {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name },
    spec: { driver, nodeName: node, pool, devices },
  };
  const create = async (): Promise<void> => {
    try {
      await api.send("POST", slices, slice);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 409) throw error;
    }
  };
  await api.watch(`${slices}?watch=1&fieldSelector=metadata.name%3D${name}`, (type) => {
    if (type === "OPENED" || type === "DELETED") create().catch(told);
  });
}

const told = (error: Error): void => void process.stderr.write(`${error.message}\n`);

for (;;) {
  await publish().catch(told);
  await delay(1000);
}
