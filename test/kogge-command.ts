import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "#test/clients.ts";
import type { Outcome, RunOptions } from "#test/clients.ts";

const root = join(import.meta.dirname, "..");
export const koggeBinary = join(root, "bin/kogge");

/** What `kogge up --json` prints on its last line. */
export interface UpReport {
  readonly ready: boolean;
  readonly startupMs: number;
  readonly server: string;
  readonly kubeconfig: string;
  readonly pid: number;
}

/** `kogge` bound to one data directory; disposing of it stops the cluster, whatever state it is in. */
export function koggeFor(dataDir: string) {
  const attempt = (words: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
    run(koggeBinary, [...words, "--data-dir", dataDir], options);
  const kogge = async (
    words: string | readonly string[],
    options: RunOptions = {},
  ): Promise<string> => {
    const list = typeof words === "string" ? words.split(" ") : words;
    const outcome = await attempt(list, options);
    if (outcome.code !== 0)
      throw new Error(
        `kogge ${list.join(" ")} ended with ${outcome.code}:\n${outcome.stderr}${outcome.stdout}`,
      );
    return outcome.stdout;
  };
  const up = async (words: readonly string[] = []): Promise<UpReport> => {
    const output = await kogge(["up", "--detach", "--json", ...words]);
    return JSON.parse(output.trim().split("\n").at(-1) ?? "") as UpReport;
  };
  return Object.assign(kogge, {
    try: attempt,
    up,
    async [Symbol.asyncDispose](): Promise<void> {
      await attempt(["down"]);
    },
  });
}

/** A static busybox cannot look up names: `bash` (`/dev/tcp/NAME/PORT`) and `getent` do, with the libraries they need. */
const nameLookup = [
  "/usr/bin/getent",
  "/usr/bin/bash",
  "/lib/x86_64-linux-gnu/libtinfo.so.6",
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib64/ld-linux-x86-64.so.2",
];

/** A folder with a Dockerfile for an image of nothing but a static busybox, name lookups and what `more` adds. */
export function writeBusyboxBuild(folder: string, more: readonly string[] = []): void {
  mkdirSync(folder, { recursive: true });
  cpSync("/bin/busybox", join(folder, "busybox"));
  for (const file of nameLookup) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(realpathSync(file), join(folder, file));
  }
  const lines = [
    "FROM scratch",
    "COPY busybox /bin/busybox",
    "COPY lib /lib",
    "COPY lib64 /lib64",
    "COPY usr /usr",
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
    'RUN ["/bin/mkdir", "-p", "/tmp", "/etc", "/root"]',
    ...more,
  ];
  writeFileSync(join(folder, "Dockerfile"), `${lines.join("\n")}\n`);
}

/** What a cluster might leave behind on a machine, as names. */
export function machineTraces(needles: readonly string[]): readonly string[] {
  const output = (program: string, ...words: string[]): string[] =>
    (spawnSync(program, words, { encoding: "utf8" }).stdout ?? "")
      .split("\n")
      .filter((line) => line !== "");
  const mine = (line: string): boolean => needles.some((needle) => line.includes(needle));
  return [
    ...output("ps", "-eo", "pid,args")
      .filter(mine)
      .filter((line) => !line.includes("ps -eo"))
      .map((line) => `process ${line}`),
    ...output("cat", "/proc/mounts")
      .filter(mine)
      .map((line) => `mount ${line}`),
    ...output("ip", "-o", "link")
      .filter((line) => /: (kog|kob|ko\dw|veth)/.test(line))
      .map((line) => `interface ${line.split(":")[1]}`),
    ...output("nft", "list", "tables")
      .filter((line) => line.includes("kogge"))
      .map((line) => `nft ${line}`),
    ...output("find", "/sys/fs/cgroup", "-type", "d", "-name", "*kogge*").map(
      (line) => `cgroup ${line}`,
    ),
    ...output("ip", "netns", "list")
      .filter((line) => /^(?:cni|kogge)-/.test(line))
      .map((line) => `network namespace ${line}`),
  ];
}

/** Starts a program whose output is collected; for what runs until it is ended. */
export function start(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  const child = spawn(program, [...words], { env: { ...process.env, ...env } });
  const output = { text: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.text += chunk.toString()));
  return { child, output };
}

/** A port that was free a moment ago: for tests that start the same cluster again and again on a busy machine. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
