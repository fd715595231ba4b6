/**
 * A device plugin that hands out as many "devices" as it is told to: each is a link to `/dev/zero`, with a variable, a
 * mounted file and an annotation. See README.md beside it.
 */
import { readFileSync, watchFile, writeFileSync } from "node:fs";
import { watch } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { devicePlugin, registration } from "./messages.ts";

const { values: options } = parseArgs({
  options: {
    /** The node's folder of plugins' sockets: `DATA_DIR/nodes/NAME/device-plugins`. */
    directory: { type: "string" },
    resource: { type: "string", default: "example.com/thing" },
    count: { type: "string", default: "2" },
    /** A file with the ids of devices that are broken, one a line; looked at when it changes. */
    broken: { type: "string" },
    /** A method that never answers: what a node does with plugins that hang. */
    hang: { type: "string" },
    /** Wait until the node asks before a container starts, and note it in this file. */
    starts: { type: "string" },
  },
});
const { directory = "", resource, broken, hang, starts } = options;
const socket = join(directory, `${resource.replaceAll("/", "_")}-${process.pid}.sock`);
const ids = Array.from({ length: Number(options.count) }, (_, index) => `thing-${index}`);
const listeners = new Set<() => void>();

function devices() {
  const ill = broken ? readIds(broken) : [];
  return ids.map((ID) => ({
    ID,
    health: ill.includes(ID) ? "Unhealthy" : "Healthy",
    topology: { nodes: [{ ID: 0 }] },
  }));
}

function readIds(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

interface AllocateRequest {
  readonly containerRequests: readonly { readonly devicesIds: readonly string[] }[];
}

interface PreferredRequest {
  readonly containerRequests: readonly {
    readonly availableDeviceIDs: readonly string[];
    readonly allocationSize: number;
  }[];
}

const answers: Readonly<Record<string, (request: never) => object>> = {
  GetDevicePluginOptions: () => ({
    preStartRequired: starts !== undefined,
    getPreferredAllocationAvailable: true,
  }),
  // The last ones first, to show that the node listens.
  GetPreferredAllocation: ({ containerRequests }: PreferredRequest) => ({
    containerResponses: containerRequests.map(({ availableDeviceIDs, allocationSize }) => ({
      deviceIDs: availableDeviceIDs.toSorted().toReversed().slice(0, allocationSize),
    })),
  }),
  Allocate: ({ containerRequests }: AllocateRequest) => ({
    containerResponses: containerRequests.map(({ devicesIds }) => ({
      envs: { EXAMPLE_DEVICES: devicesIds.join(",") },
      mounts: [{ containerPath: "/etc/example-host", hostPath: "/etc/hostname", readOnly: true }],
      devices: devicesIds.map((id) => ({
        containerPath: `/dev/${id}`,
        hostPath: "/dev/zero",
        permissions: "rw",
      })),
      annotations: { "example.com/devices": devicesIds.join(",") },
    })),
  }),
  PreStartContainer: ({ devicesIds }: { readonly devicesIds: readonly string[] }) => {
    if (starts) writeFileSync(starts, `${devicesIds.join(",")}\n`, { flag: "a" });
    return {};
  },
};

const server = new Server();
server.addService(devicePlugin, {
  ...Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => [
      name,
      (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
        if (hang !== name) callback(null, answer(call.request as never));
      },
    ]),
  ),
  ListAndWatch(call: ServerWritableStream<object, object>) {
    const tell = (): void => void call.write({ devices: devices() });
    listeners.add(tell);
    call.on("cancelled", () => listeners.delete(tell));
    tell();
  },
});

function register(): void {
  const node = new Client(`unix:${join(directory, "kubelet.sock")}`, credentials.createInsecure());
  const method = registration["Register"];
  if (method === undefined) throw new Error("the method Register is not described");
  const { path, requestSerialize, responseDeserialize } = method;
  const request = { version: "v1beta1", endpoint: basename(socket), resourceName: resource };
  node.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) => {
    if (error) process.stderr.write(`Cannot register: ${error.details}\n`);
    else process.stdout.write("registered\n");
    node.close();
  });
}

async function listen(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

await listen();
register();
if (broken) {
  watchFile(broken, { interval: 100 }, () => {
    for (const tell of listeners) tell();
  });
}
// The node makes its socket anew when it starts again, and has forgotten all plugins then.
for await (const { filename, eventType } of watch(directory)) {
  if (filename !== "kubelet.sock" || eventType !== "rename") continue;
  process.stdout.write("the node started again\n");
  process.exit(75);
}
