import { duplexPair, PassThrough, Readable } from "node:stream";
import { notFound } from "#api/status.ts";
import type {
  ExecOptions,
  ProcessEnd,
  ProcessStreams,
  StreamTargets,
  TerminalSize,
} from "#agent/streams/process-streams.ts";

/** What the fake containers were seen to do. */
export interface FakeTargets extends StreamTargets {
  readonly sizes: TerminalSize[];
  /** How many processes were started and not let go of. */
  openProcesses(): number;
}

/**
 * Containers without containers. Commands: `cat` (echoes stdin), `exit N`, `flood BYTES`, `both` (a line on each
 * output), `wait` (until stdin ends or it is closed). Only the pod `web` exists; its port 80 echoes.
 */
export function createFakeTargets(): FakeTargets {
  const sizes: TerminalSize[] = [];
  const open = new Set<ProcessStreams>();
  const start = (options: ExecOptions): ProcessStreams => {
    const process = startFake(options, sizes, () => open.delete(process));
    open.add(process);
    return process;
  };
  return {
    sizes,
    openProcesses: () => open.size,
    exec: async (container, options) => {
      if (container.pod !== "web") throw notFound({ group: "", resource: "pods" }, container.pod);
      return start(options);
    },
    attach: async (_container, options) => start({ ...options, command: ["cat"] }),
    portForward: async (_pod, port) => {
      if (port !== 80) throw new Error("connection refused");
      const [near, far] = duplexPair();
      far.pipe(far);
      return near;
    },
    logs: async (_container, { follow, tailLines }) => {
      const lines = ["one\n", "two\n", "three\n"].slice(-(tailLines ?? 3));
      return follow ? Readable.from(lines) : Readable.from([lines.join("")]);
    },
  };
}

function startFake(
  options: ExecOptions,
  sizes: TerminalSize[],
  onClose: () => void,
): ProcessStreams {
  const [name = "", argument = ""] = options.command;
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const ended = Promise.withResolvers<ProcessEnd>();
  const finish = (code: number): void => {
    stdout.end();
    stderr.end();
    const outputs = [
      ...(options.stdout ? [stdout] : []),
      ...(options.stderr && !options.tty ? [stderr] : []),
    ];
    const delivered = outputs.map(
      (output) => new Promise<void>((resolve) => output.once("close", resolve)),
    );
    void Promise.all(delivered).then(() => ended.resolve({ kind: "exited", code }));
  };
  for (const stream of [stdin, stdout, stderr]) stream.on("error", () => {});
  if (name === "cat") stdin.on("end", () => finish(0)).pipe(stdout, { end: false });
  if (name === "exit") finish(Number(argument));
  if (name === "both") {
    stdout.write("to stdout\n");
    stderr.write("to stderr\n");
    finish(0);
  }
  if (name === "flood") {
    const block = Buffer.alloc(65_536, "x");
    const blocks = Readable.from(
      (function* () {
        for (let left = Number(argument); left > 0; left -= block.length) {
          yield block.subarray(0, left);
        }
      })(),
    );
    blocks.on("end", () => finish(0)).pipe(stdout, { end: false });
  }
  if (name === "wait") stdin.resume().on("end", () => finish(0));
  return {
    ...(options.stdin && { stdin }),
    ...(options.stdout && { stdout }),
    ...(options.stderr && !options.tty && { stderr }),
    resize: (size) => void sizes.push(size),
    ended: ended.promise,
    close: () => {
      onClose();
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      ended.resolve({ kind: "failed", message: "closed" });
    },
  };
}
