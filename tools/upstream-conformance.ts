import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { kubectlBinary } from "#test/clients.ts";
import { koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { buildImages } from "#tools/upstream/images.ts";
import { buildPrograms } from "#tools/upstream/programs.ts";
import { report } from "#tools/upstream/report.ts";
import { namesOf, runTests } from "#tools/upstream/run-tests.ts";

// `npm run conformance`: upstream's own conformance program against a cluster of this clone with real containers. Needs
// root, Go, containerd, buildah, mmdebstrap, busybox-static and bash-static, and the network to fetch upstream's modules.
const { values } = parseArgs({
  options: {
    focus: { type: "string", default: "\\[Conformance\\]" },
    skip: { type: "string", default: "" },
    nodes: { type: "string", default: "2" },
    parallel: { type: "string", default: "4" },
    folder: { type: "string", default: join(homedir(), ".cache/kogge-upstream") },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** With where they come from. */
const programs = {
  go: "https://go.dev/dl",
  mmdebstrap: "apt-get install mmdebstrap",
  "bash-static": "apt-get install bash-static",
};

async function main(): Promise<void> {
  const lacking = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
  if (lacking) throw new Error(`Cannot run upstream's tests: ${lacking}`);
  for (const [program, origin] of Object.entries(programs)) {
    if (spawnSync("which", [program]).status === 0) continue;
    throw new Error(`Cannot run upstream's tests: ${program} is not installed (${origin})`);
  }
  const folder = resolve(values.folder);
  mkdirSync(folder, { recursive: true });
  const built = await buildPrograms(folder);
  const dataDir = mkdtempSync(join(tmpdir(), "kogge-conformance-"));
  try {
    await using kogge = koggeFor(dataDir);
    const { kubeconfig } = await kogge.up(["--nodes", values.nodes, "--runtime", "containerd"]);
    const target = { program: built.test, kubeconfig, kubectl: kubectlBinary() };
    const names = await namesOf(target, values);
    if (values.list) return console.log(names.join("\n"));
    await buildImages({ folder, programs: built, kogge });
    const output = join(folder, "output");
    rmSync(output, { recursive: true, force: true });
    const parallel = Number(values.parallel);
    const results = await runTests(target, { names, parallel, output });
    process.exitCode = report(results, output);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function printHelp(): void {
  console.log(`Usage: npm run conformance -- [options]

Runs upstream's end-to-end tests against a cluster that it starts and removes.

  --focus REGEXP    which tests (\\[Conformance\\])
  --skip REGEXP     which of them not
  --nodes NUMBER    how many nodes, all on this machine (2)
  --parallel NUMBER how many tests at once; those marked Serial run alone, afterwards (4)
  --folder FOLDER   where programs, images and output are kept (~/.cache/kogge-upstream)
  --list            print the names of the tests and run none

Examples:
  npm run conformance
  npm run conformance -- --focus '\\[sig-apps\\].*\\[Conformance\\]'
  npm run conformance -- --focus 'StatefulSet' --list`);
}

if (values.help) printHelp();
else await main();
