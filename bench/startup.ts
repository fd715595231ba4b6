import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import {
  best,
  cpuMsOf,
  freePort,
  kogge,
  printTable,
  root,
  runNode,
  temporaryDirectory,
} from "#bench/measure.ts";
import { upReport } from "#bench/measure.ts";
import { createCluster } from "#main/testing.ts";

/**
 * From the command to Ready: wall and CPU time of `kogge up --detach`, the best of several runs, against a Node that
 * starts and does nothing. "Cold" begins with an empty compile cache, which Node fills at the first start.
 */
const times = 5;

interface Start {
  readonly wallMs: number;
  readonly cpuMs: number;
}

using scratch = temporaryDirectory();
const warmCache = { NODE_COMPILE_CACHE: join(scratch.path, "warm") };
let fresh = 0;
const nextPath = (name: string): string => join(scratch.path, `${name}-${(fresh += 1)}`);

const bare = await best(times, () => runNode(["--eval", "0"]), wallOf);
const rows: (readonly [string, Start])[] = [["bare Node", bare]];
rows.push(["kogge --help", await best(times, () => help(), wallOf)]);
for (const runtime of runtimes()) {
  const coldFirst = () => firstStart(runtime, { NODE_COMPILE_CACHE: nextPath("cache") });
  rows.push([`up, ${runtime}: first start, cold`, await best(times, coldFirst, wallOf)]);
  await firstStart(runtime, warmCache);
  const warmFirst = () => firstStart(runtime, warmCache);
  rows.push([`up, ${runtime}: first start, warm`, await best(times, warmFirst, wallOf)]);
  rows.push([`up, ${runtime}: second start, warm`, await secondStart(runtime)]);
}
rows.push([
  "up, simulated, 100 nodes: warm",
  await best(2, () => firstStart("simulated", warmCache, ["--nodes", "100"]), wallOf),
]);
printTable(
  ["", "wall ms", "CPU ms", "times bare Node"],
  rows.map(([name, start]) => [name, start.wallMs, start.cpuMs, start.wallMs / bare.wallMs]),
);
console.log("CPU time is that of the command and of the server it leaves behind.\n");

const inProcess = await manyClusters(12);
printTable(
  ["createCluster() in one process", "wall ms", "CPU ms"],
  [
    ["the first", inProcess[0]?.wallMs, inProcess[0]?.cpuMs],
    ["the best of those after it", ...leastOf(inProcess.slice(1))],
  ],
);
process.exit();

function wallOf(start: Start): number {
  return start.wallMs;
}

async function help(): Promise<Start> {
  return runNode([join(root, "bin/kogge"), "--help"], warmCache);
}

async function firstStart(
  runtime: string,
  env: Readonly<Record<string, string>>,
  words: readonly string[] = [],
): Promise<Start> {
  const directory = nextPath("data");
  const start = await startOn(directory, runtime, { env, words });
  await kogge(directory, ["down"], warmCache);
  await kogge(directory, ["reset", "--yes"], warmCache);
  return start;
}

async function secondStart(runtime: string): Promise<Start> {
  const directory = nextPath("data");
  const again = async (): Promise<Start> => {
    const start = await startOn(directory, runtime, { env: warmCache });
    await kogge(directory, ["down"], warmCache);
    return start;
  };
  await again();
  const start = await best(times, again, wallOf);
  await kogge(directory, ["reset", "--yes"], warmCache);
  return start;
}

async function startOn(
  directory: string,
  runtime: string,
  options: { readonly env: Readonly<Record<string, string>>; readonly words?: readonly string[] },
): Promise<Start> {
  const port = await freePort();
  const words = ["up", "--runtime", runtime, "--detach", "--json", "--port", port];
  const command = await kogge(directory, [...words, ...(options.words ?? [])], options.env);
  const serverCpuMs = cpuMsOf(upReport(command.output).pid);
  return { wallMs: command.wallMs, cpuMs: command.cpuMs + serverCpuMs };
}

function runtimes(): readonly string[] {
  const containerd = ["/usr/bin/containerd", "/usr/local/bin/containerd"].some(existsSync);
  if (containerd && process.getuid?.() === 0) return ["simulated", "containerd"];
  console.log("Without containerd: that takes root and an installed containerd\n");
  return ["simulated"];
}

async function manyClusters(count: number): Promise<readonly Start[]> {
  const starts: Start[] = [];
  for (let run = 0; run < count; run += 1) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    await using _cluster = await createCluster();
    const wallMs = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    starts.push({ wallMs, cpuMs: (user + system) / 1_000 });
  }
  return starts;
}

function leastOf(starts: readonly Start[]): readonly [number, number] {
  return [
    Math.min(...starts.map((start) => start.wallMs)),
    Math.min(...starts.map((start) => start.cpuMs)),
  ];
}
