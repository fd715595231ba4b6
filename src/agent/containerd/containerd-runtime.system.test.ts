import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import { type Containerd, startContainerd } from "#agent/containerd/containerd-process.ts";
import { ociArchive } from "#agent/images/oci-archive.ts";
import { containerRuntimeConformance } from "#agent/runtime/container-runtime.conformance.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { freeSubnet } from "#test/free-subnet.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "root", "containerd", "cni");
let shared: Promise<{ containerd: Containerd; dataDir: string }> | undefined;

after(async () => {
  if (shared === undefined) return;
  const { containerd, dataDir } = await shared;
  await containerd.stop();
  await rm(dataDir, { recursive: true, force: true });
});

containerRuntimeConformance(
  "containerd",
  async () => {
    shared ??= start();
    const { containerd, dataDir } = await shared;
    const { socket } = containerd;
    const runtime = await connectContainerd({
      socket,
      clock: systemClock,
      log: silentLog,
      streamClient,
    });
    const logDirectory = join(dataDir, "logs", "pod");
    await mkdir(logDirectory, { recursive: true });
    return {
      runtime,
      image: "busybox:test",
      logDirectory,
      async [Symbol.asyncDispose]() {
        for (const { id } of await runtime.listSandboxes()) {
          await runtime.stopSandbox(id);
          await runtime.removeSandbox(id);
        }
        await runtime[Symbol.asyncDispose]();
      },
    };
  },
  skip,
);

async function start(): Promise<{ containerd: Containerd; dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), "kogge-containerd-"));
  const conf = join(dataDir, "cni", "conf");
  await mkdir(conf, { recursive: true });
  await writeFile(join(conf, "10-test.conflist"), JSON.stringify(network(dataDir)));
  const containerd = await startContainerd({ dataDir, clock: systemClock, log: silentLog });
  const archive = join(dataDir, "busybox.tar");
  await writeFile(archive, await busyboxArchive());
  await containerd.importImage(archive);
  return { containerd, dataDir };
}

function network(dataDir: string): object {
  const ranges = [[{ subnet: freeSubnet() }]];
  const ipam = { type: "host-local", dataDir: join(dataDir, "ipam"), ranges };
  return { cniVersion: "0.4.0", name: "kogge-test", plugins: [{ type: "ptp", ipam }] };
}

async function busyboxArchive(): Promise<Buffer> {
  const links = ["sh", "sleep", "echo", "true", "false"];
  return ociArchive({
    name: "docker.io/library/busybox:test",
    files: [
      { path: "bin", directory: true },
      { path: "bin/busybox", content: await readFile("/bin/busybox"), mode: 0o755 },
      ...links.map((name) => ({ path: `bin/${name}`, linkTo: "busybox" })),
    ],
    command: ["/bin/sh"],
    env: ["PATH=/bin"],
    architecture: process.arch === "x64" ? "amd64" : process.arch,
  });
}
