import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import type {
  ContainerConfig,
  ContainerRuntime,
  RuntimeEvent,
  SandboxConfig,
} from "#agent/runtime/container-runtime.ts";

/** A runtime under test and what it needs to run something. */
export interface OpenRuntime extends AsyncDisposable {
  readonly runtime: ContainerRuntime;
  /** An image that is there, or that `pullImage` brings, with `sh`, `sleep`, `echo`, `true` and `false`. */
  readonly image: string;
  readonly logDirectory: string;
}

/** What every ContainerRuntime does alike. `open` is called for each test. */
export function containerRuntimeConformance(
  name: string,
  open: () => Promise<OpenRuntime>,
  skip: string | false = false,
): void {
  const check = (what: string, run: (opened: OpenRuntime) => Promise<void>): void => {
    void test(`${name}: ${what}`, { skip }, async () => {
      await using opened = await open();
      if (!(await opened.runtime.imageStatus(opened.image))) {
        await opened.runtime.pullImage(opened.image, undefined, new AbortController().signal);
      }
      await run(opened);
    });
  };

  check(
    "a sandbox is ready with an address, is listed, and can be stopped twice",
    async (opened) => {
      const { runtime } = opened;
      const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
      equal(sandbox.state, "ready");
      equal(sandbox.uid, "uid-1");
      equal(sandbox.ips.length, 1);
      deepEqual(await runtime.listSandboxes(), [sandbox]);
      await runtime.stopSandbox(sandbox.id);
      await runtime.stopSandbox(sandbox.id);
      deepEqual(
        (await runtime.listSandboxes()).map(({ state }) => state),
        ["not-ready"],
      );
      await runtime.removeSandbox(sandbox.id);
      await runtime.removeSandbox(sandbox.id);
      deepEqual(await runtime.listSandboxes(), []);
    },
  );

  check("a container that ends tells so by events and keeps its exit code", async (opened) => {
    const { runtime } = opened;
    const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
    const heard = listen(runtime);
    const id = await runtime.createContainer(sandbox.id, containerOf(opened, "exit 3", "0.05"));
    equal((await runtime.containerState(id))?.state, "created");
    await runtime.startContainer(id);
    await heard.until("container-exited", id);
    const state = await runtime.containerState(id);
    equal(state?.state, "exited");
    equal(state?.exitCode, 3);
    equal(state?.reason, "Error");
    equal(state?.name, "main");
    equal(state?.sandboxId, sandbox.id);
    deepEqual(state?.labels, { app: "x" });
    // A real runtime may note the start of a short process after its end.
    ok(state.finishedMs >= state.createdMs && state.startedMs >= state.createdMs);
    await runtime.removeContainer(id);
    await heard.until("container-removed", id);
    equal(await runtime.containerState(id), undefined);
    ok(heard.kinds(id).indexOf("container-started") < heard.kinds(id).indexOf("container-exited"));
  });

  check("a running container is listed, runs commands, and can be stopped", async (opened) => {
    const { runtime } = opened;
    const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
    const id = await runtime.createContainer(sandbox.id, containerOf(opened, "sleep 1000"));
    await runtime.startContainer(id);
    deepEqual(
      (await runtime.listContainers()).map((state) => [state.id, state.state]),
      [[id, "running"]],
    );
    equal((await runtime.execSync(id, ["true"], 5000)).exitCode, 0);
    equal((await runtime.execSync(id, ["false"], 5000)).exitCode, 1);
    deepEqual(await runtime.execSync(id, ["echo", "a", "b"], 5000), {
      exitCode: 0,
      output: "a b\n",
    });
    await runtime.stopContainer(id, 0);
    equal((await runtime.containerState(id))?.state, "exited");
    await runtime.stopContainer(id, 0);
    await rejects(runtime.execSync(id, ["true"], 5000));
  });

  check(
    "what runs tells what it uses, and takes other limits and a new log file",
    async (opened) => {
      const { runtime } = opened;
      const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
      const id = await runtime.createContainer(sandbox.id, containerOf(opened, "sleep 1000"));
      deepEqual(await runtime.containerStats(), []);
      await runtime.startContainer(id);
      const [stats, ...more] = await runtime.containerStats();
      deepEqual([stats?.id, more], [id, []]);
      ok(stats !== undefined && stats.cpuNanoseconds >= 0 && stats.workingSetBytes > 0);
      await runtime.updateContainer(id, { cpuShares: 512, memoryLimitBytes: 64 * 1024 ** 2 });
      await runtime.reopenLog(id);
      equal((await runtime.containerState(id))?.state, "running");
      await runtime.stopContainer(id, 0);
      deepEqual(await runtime.containerStats(), []);
      ok((await runtime.imageFilesystem()).usedBytes >= 0);
      await rejects(runtime.updateContainer("0".repeat(64), { cpuShares: 512 }));
    },
  );

  check("a container can be ended by a signal of its own", async (opened) => {
    const { runtime } = opened;
    const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
    const script = "trap 'exit 0' USR1; while :; do sleep 0.05; done";
    const id = await runtime.createContainer(sandbox.id, containerOf(opened, script));
    await runtime.startContainer(id);
    while ((await runtime.execSync(id, ["true"], 5000)).exitCode !== 0);
    await runtime.stopContainer(id, 20, "SIGUSR1");
    const state = await runtime.containerState(id);
    deepEqual([state?.state, state?.exitCode], ["exited", 0]);
  });

  check("exec streams the command's output and its exit code", async (opened) => {
    const { runtime } = opened;
    const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
    const id = await runtime.createContainer(sandbox.id, containerOf(opened, "sleep 1000"));
    await runtime.startContainer(id);
    const streams = await runtime.exec(id, {
      command: ["echo", "hello"],
      tty: false,
      stdin: false,
      stdout: true,
      stderr: true,
    });
    streams.stderr?.resume();
    ok(streams.stdout);
    equal((await buffer(streams.stdout)).toString(), "hello\n");
    deepEqual(await streams.ended, { kind: "exited", code: 0 });
  });

  check("stopping a sandbox ends its containers", async (opened) => {
    const { runtime } = opened;
    const sandbox = await runtime.runSandbox(sandboxOf(opened), never);
    const id = await runtime.createContainer(sandbox.id, containerOf(opened, "sleep 1000"));
    await runtime.startContainer(id);
    await runtime.stopSandbox(sandbox.id);
    equal((await runtime.containerState(id))?.state, "exited");
    await runtime.removeSandbox(sandbox.id);
    equal(await runtime.containerState(id), undefined);
  });

  check("an image that is not there has no status", async ({ runtime }) => {
    equal(await runtime.imageStatus("localhost/not-there:1"), undefined);
    ok((await runtime.listImages()).length > 0);
  });
}

const never = new AbortController().signal;

function sandboxOf({ logDirectory }: OpenRuntime): SandboxConfig {
  return {
    name: "pod",
    namespace: "test",
    uid: "uid-1",
    attempt: 0,
    hostname: "pod",
    logDirectory,
    dns: { servers: ["10.0.0.10"], searches: [], options: [] },
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    shareProcessNamespace: false,
    labels: { app: "x" },
    annotations: {},
    portMappings: [],
    sysctls: {},
  };
}

/** A simulated container is told by annotations what a real one does by its command. */
function containerOf(opened: OpenRuntime, script: string, runSeconds?: string): ContainerConfig {
  const exitCode = /^exit (\d+)$/.exec(script)?.[1];
  return {
    name: "main",
    attempt: 0,
    image: opened.image,
    command: ["sh", "-c", script],
    args: [],
    workingDir: "",
    env: [{ name: "A", value: "1" }],
    mounts: [],
    labels: { app: "x" },
    annotations: {},
    logPath: "main.log",
    stdin: false,
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
      seccomp: { kind: "runtime-default" },
    },
    simulation: {
      ...(exitCode && { "exit-code": exitCode }),
      ...(runSeconds && { "run-seconds": runSeconds }),
    },
  };
}

function listen(runtime: ContainerRuntime) {
  const heard: RuntimeEvent[] = [];
  const waiting = new Set<() => void>();
  runtime.onEvent((event) => {
    heard.push(event);
    for (const look of waiting) look();
  });
  const has = (kind: string, id: string): boolean =>
    heard.some((event) => event.kind === kind && event.containerId === id);
  return {
    kinds: (id: string) =>
      heard.filter(({ containerId }) => containerId === id).map(({ kind }) => kind),
    until: (kind: RuntimeEvent["kind"], id: string) =>
      new Promise<void>((resolve) => {
        const hold = setTimeout(() => {}, 60_000);
        const look = (): void => {
          if (!has(kind, id)) return;
          clearTimeout(hold);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}
