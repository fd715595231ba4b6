import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { run } from "#test/clients.ts";
import { type Result, resultsIn } from "#tools/upstream/report.ts";

export interface Target {
  readonly program: string;
  readonly kubeconfig: string;
  readonly kubectl: string;
}

/** The tests that are chosen, by their whole names. */
export async function namesOf(
  target: Target,
  { focus, skip }: { readonly focus: string; readonly skip: string },
): Promise<readonly string[]> {
  const words = ["--ginkgo.dry-run", `--ginkgo.focus=${focus}`];
  const { stdout } = await run(target.program, [
    ...wordsFor(target),
    ...words,
    ...(skip === "" ? [] : [`--ginkgo.skip=${skip}`]),
  ]);
  const names = stdout.split("\n").filter((line) => /^\[sig-[a-z-]+\] /.test(line));
  if (names.length === 0) throw new Error(`Cannot find a test for --focus '${focus}'`);
  return [...new Set(names)].map(withoutLabels).toSorted();
}

export interface Run {
  readonly names: readonly string[];
  readonly parallel: number;
  /** The folder of what the program prints. */
  readonly output: string;
}

/** Runs tests side by side, and then those that want the cluster to themselves. */
export async function runTests(target: Target, all: Run): Promise<readonly Result[]> {
  const { names, parallel, output } = all;
  mkdirSync(output, { recursive: true });
  const isAlone = (name: string): boolean => /\[(Serial|Disruptive)\]/.test(name);
  const alone = names.filter(isAlone);
  const others = names.filter((name) => !isAlone(name));
  console.log(`Running ${names.length} tests, ${alone.length} of them alone; see ${output}`);
  const shares = Array.from({ length: parallel }, (_, share) =>
    others.filter((_name, index) => index % parallel === share),
  ).filter((share) => share.length > 0);
  const files = shares.map((_, index) => join(output, `${index + 1}.txt`));
  await Promise.all(shares.map((share, index) => runShare(target, share, files[index] ?? "")));
  const last = join(output, "alone.txt");
  if (alone.length > 0) await runShare(target, alone, last);
  const written = alone.length > 0 ? [...files, last] : files;
  return written.flatMap((file) => resultsIn(readFileSync(file, "utf8")));
}

async function runShare(target: Target, names: readonly string[], file: string): Promise<void> {
  const output = openSync(file, "w");
  // Go reads these patterns as JavaScript does.
  const focus = names.map((name) => RegExp.escape(name)).join("|");
  const child = spawn(target.program, [...wordsFor(target), `--ginkgo.focus=${focus}`], {
    stdio: ["ignore", output, output],
    env: { ...process.env, KUBECONFIG: target.kubeconfig },
  });
  closeSync(output);
  await once(child, "exit");
}

function wordsFor({ kubeconfig, kubectl }: Target): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--kubectl-path=${kubectl}`,
    "--provider=skeleton",
    "--ginkgo.v",
    "--ginkgo.no-color",
    "--ginkgo.silence-skips",
    "--ginkgo.timeout=4h",
  ];
}

/** What follows the name is the suite's list of its labels. */
function withoutLabels(line: string): string {
  return line.replace(/ \[sig-[a-z-]+(?:, [^\]]*)?\]$/, "");
}
