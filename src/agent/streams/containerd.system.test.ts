import { strict as assert } from "node:assert";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { startContainerd } from "#agent/containerd/containerd-process.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import { ociArchive } from "#agent/images/oci-archive.ts";
import type { ContainerConfig, ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "root", "containerd", "busybox");
const image = "kogge.local/streams-test:1";
const folder = mkdtempSync(join(tmpdir(), "kogge-streams-"));
const opened = new AsyncDisposableStack();
let runtime: ContainerRuntime;
let sandbox: string;
let shell: string;

before(
  async () => {
    if (skip) return;
    const containerd = await startContainerd({
      dataDir: folder,
      log: silentLog,
      clock: systemClock,
    });
    opened.defer(() => containerd.stop());
    const archive = join(folder, "image.tar");
    writeFileSync(
      archive,
      await ociArchive({
        name: image,
        files: [{ path: "busybox", content: readFileSync("/usr/bin/busybox"), mode: 0o755 }],
        architecture: process.arch === "x64" ? "amd64" : process.arch,
      }),
    );
    await containerd.importImage(archive);
    runtime = opened.use(
      await connectContainerd({
        socket: containerd.socket,
        clock: systemClock,
        log: silentLog,
        streamClient,
      }),
    );
    const config = {
      name: "web",
      namespace: "default",
      uid: "u",
      attempt: 0,
      hostname: "",
      logDirectory: folder,
      dns: { servers: [], searches: [], options: [] },
      hostNetwork: true,
      hostPid: false,
      hostIpc: false,
      shareProcessNamespace: false,
      labels: {},
      annotations: {},
      portMappings: [],
      sysctls: {},
    };
    sandbox = (await runtime.runSandbox(config, AbortSignal.timeout(30_000))).id;
    opened.defer(async () => {
      await runtime.stopSandbox(sandbox);
      await runtime.removeSandbox(sandbox);
    });
    shell = await runtime.createContainer(sandbox, containerConfig);
    await runtime.startContainer(shell);
  },
  { timeout: 60_000 },
);

after(async () => {
  await opened.disposeAsync();
  rmSync(folder, { recursive: true, force: true });
});

const containerConfig: ContainerConfig = {
  name: "c",
  attempt: 0,
  image,
  command: ["/busybox", "cat"],
  args: [],
  workingDir: "/",
  env: [],
  mounts: [],
  labels: {},
  annotations: {},
  logPath: "c.log",
  stdin: true,
  stdinOnce: false,
  tty: false,
  resources: {},
  security: {
    privileged: false,
    readOnlyRootFilesystem: false,
    noNewPrivileges: false,
    supplementalGroups: [],
    addCapabilities: [],
    dropCapabilities: [],
    seccomp: { kind: "unconfined" },
  },
};

const all = { tty: false, stdin: true, stdout: true, stderr: true };

function sh(script: string, options: Partial<typeof all> = {}) {
  const command = ["/busybox", "sh", "-c", script];
  return runtime.exec(shell, { ...all, ...options, command });
}

test("connectExec() runs commands in a container of containerd", { skip }, async () => {
  const process = await sh("/busybox cat; echo problem >&2; exit 3");
  process.stdin!.end("a line");
  assert.deepEqual(await Promise.all([text(process.stdout!), text(process.stderr!)]), [
    "a line",
    "problem\n",
  ]);
  assert.deepEqual(await process.ended, { kind: "exited", code: 3 });
});

test("connectExec() carries 10 MB through containerd and back", { skip }, async () => {
  const process = await sh("/busybox cat", { stderr: false });
  process.stdin!.end(Buffer.alloc(10_485_760, "z"));
  const echoed = await buffer(process.stdout!);
  assert.ok(echoed.equals(Buffer.alloc(10_485_760, "z")), `${echoed.length} bytes came back`);
  assert.deepEqual(await process.ended, { kind: "exited", code: 0 });
});

test("connectExec() sets the size of a terminal in containerd", { skip }, async () => {
  const process = await sh(
    "until /busybox stty size 2>/dev/null | /busybox grep .; do /busybox sleep 0.05; done",
    {
      tty: true,
      stderr: false,
    },
  );
  process.resize({ width: 123, height: 45 });
  assert.match(await text(process.stdout!), /45 123/);
});

test("connectExec() says why containerd could not run a command", { skip }, async () => {
  const process = await runtime.exec(shell, { ...all, stdin: false, command: ["/missing"] });
  process.stdout!.resume();
  process.stderr!.resume();
  const end = await process.ended;
  assert.equal(end.kind, "failed");
  assert.match(end.kind === "failed" ? end.message : "", /missing.*no such file/s);
});

test("connectAttach() speaks with a container's main process", { skip }, async () => {
  const attached = await runtime.attach(shell, { ...all, stderr: false });
  attached.stdin!.write("hello\n");
  const [chunk] = (await once(attached.stdout!, "data")) as [Buffer];
  assert.equal(String(chunk), "hello\n");
  attached.close();
});

test(
  "connectPortForward() reaches a port through containerd, and says when it cannot",
  { skip },
  async () => {
    const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
    const { port } = echo.address() as { port: number };
    const stream = await runtime.portForward(sandbox, port);
    stream.end(Buffer.alloc(1_000_000, "p"));
    assert.equal((await buffer(stream)).length, 1_000_000);
    echo.close();
    const refused = await runtime.portForward(sandbox, port);
    await assert.rejects(text(refused), /connection refused/);
  },
);
