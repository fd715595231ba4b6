import { fork, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

// What the benchmarks share: programs started and ended, processes looked at through /proc, tables printed. Nothing
// here fails because something was slow.

export const root = join(import.meta.dirname, "..");
const koggeBinary = join(root, "bin/kogge");

/** A directory that is removed when it is disposed of. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "kogge-bench-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Outcome {
  readonly output: string;
  readonly wallMs: number;
  /** Of the program and those of its children that it waited for; in steps of 10 ms. */
  readonly cpuMs: number;
}

/** Runs a program with this Node to its end. Only one at a time: CPU time is that of all ended children. */
export async function runNode(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const before = endedChildrenCpuMs();
  const start = performance.now();
  const child = spawn(process.execPath, [...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let output = "";
  let problems = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (problems += chunk.toString()));
  const code = await ended(child);
  const wallMs = performance.now() - start;
  if (code !== 0)
    throw new Error(`Cannot run ${words.join(" ")}: it ended with ${code}: ${problems}`);
  return { output, wallMs, cpuMs: endedChildrenCpuMs() - before };
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code));
  });
}

/** Fields of /proc/self/stat count from the state, the third: cutime and cstime are the 16th and 17th. */
function endedChildrenCpuMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) * tickMs;
}

const tickMs = 10;

/** A port that was free a moment ago: clusters that start side by side would all choose the usual one. */
export async function freePort(): Promise<string> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return String(port);
}

export interface Up {
  readonly server: string;
  readonly kubeconfig: string;
  readonly pid: number;
  readonly startupMs: number;
}

/** `kogge WORDS --data-dir DIR`, with this Node. */
export function kogge(
  dataDir: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return runNode([koggeBinary, ...words, "--data-dir", dataDir], env);
}

/** A cluster in the background; disposing of it takes it down and removes its data. */
export async function startCluster(
  words: readonly string[] = [],
): Promise<AsyncDisposable & { readonly up: Up }> {
  const directory = temporaryDirectory();
  const asked = ["up", "--detach", "--json", "--port", await freePort(), ...words];
  const { output } = await kogge(directory.path, asked);
  return {
    up: upReport(output),
    async [Symbol.asyncDispose]() {
      await kogge(directory.path, ["down"]);
      directory[Symbol.dispose]();
    },
  };
}

export interface RunningNode extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The first message that the program sent. */
  readonly told: unknown;
}

/** A program of this folder in a process of its own, once it has told that it is ready; disposing ends it. */
export async function runningNode(
  name: string,
  words: readonly string[] = [],
): Promise<RunningNode> {
  const child = fork(join(import.meta.dirname, name), [...words]);
  const told = await new Promise<unknown>((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`Cannot run ${name}: it ended with ${code}`)));
  });
  return {
    pid: child.pid ?? 0,
    child,
    told,
    async [Symbol.asyncDispose]() {
      const gone = once(child, "exit");
      child.disconnect();
      await gone;
    },
  };
}

export function upReport(output: string): Up {
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Up;
}

/** CPU time so far of a living process, all its threads together; finer than the ticks of `stat`. */
export function cpuMsOf(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(
      readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0],
    );
  }
  return nanoseconds / 1e6;
}

export interface Memory {
  readonly residentMb: number;
  /** What is the process's own; the rest is files that others can share. */
  readonly anonymousMb: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return { residentMb: field("VmRSS"), anonymousMb: field("RssAnon") };
}

/** Runs `act` several times in a row and returns what it returned the time `cost` was least. */
export async function best<T>(
  times: number,
  act: () => Promise<T>,
  cost: (result: T) => number,
): Promise<T> {
  const results: T[] = [];
  for (let run = 0; run < times; run += 1) results.push(await act());
  return results.reduce((least, result) => (cost(result) < cost(least) ? result : least));
}

/** Prints rows under a heading in aligned columns: the first to the left, numbers to the right. */
export function printTable(
  heading: readonly string[],
  rows: readonly (readonly (string | number | undefined)[])[],
): void {
  const cells = [heading, ...rows.map((row) => row.map(cellText))];
  const widths = heading.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? "").length)),
  );
  for (const row of cells) {
    const texts = widths.map((width, column) => {
      const text = row[column] ?? "";
      return column === 0 ? text.padEnd(width) : text.padStart(width);
    });
    console.log(texts.join("  ").trimEnd());
  }
}

function cellText(value: string | number | undefined): string {
  if (typeof value !== "number") return value ?? "–";
  if (Math.abs(value) < 10) return value.toFixed(2);
  return Math.abs(value) < 100 ? value.toFixed(1) : value.toFixed(0);
}

export function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Milliseconds until it is done. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}
