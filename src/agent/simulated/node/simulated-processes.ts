import { PassThrough, Readable } from "node:stream";
import type { SimulatedProcesses } from "#agent/simulated/simulated-runtime.ts";

/** Node's streams for what simulated commands say. */
export const simulatedProcesses: SimulatedProcesses = {
  run(options, command) {
    if (command.echoesInput && options.stdin) return echo();
    const stdout = Readable.from([Buffer.from(command.stdout)].filter(({ length }) => length > 0));
    const stderr = Readable.from([Buffer.from(command.stderr)].filter(({ length }) => length > 0));
    return {
      ...(options.stdin && { stdin: new PassThrough().resume() }),
      ...(options.stdout && { stdout }),
      ...(options.stderr && !options.tty && { stderr }),
      resize() {},
      ended: Promise.resolve({ kind: "exited", code: command.exitCode }),
      close() {
        stdout.destroy();
        stderr.destroy();
      },
    };
  },
  follow(lines) {
    const stdout = Readable.from(textOf(lines), { objectMode: false });
    return {
      stdout,
      resize() {},
      ended: new Promise((resolve) =>
        stdout.once("close", () => resolve({ kind: "exited", code: 0 })),
      ),
      close: () => void stdout.destroy(),
    };
  },
};

function echo(): ReturnType<SimulatedProcesses["run"]> {
  const both = new PassThrough();
  return {
    stdin: both,
    stdout: both,
    resize() {},
    ended: new Promise((resolve) => both.once("close", () => resolve({ kind: "exited", code: 0 }))),
    close: () => void both.destroy(),
  };
}

/** The text of CRI log lines without their times and streams. */
async function* textOf(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const line of lines) yield Buffer.from(`${line.split(" ").slice(3).join(" ")}\n`);
}
