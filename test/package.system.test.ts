import { deepEqual, equal, match, ok } from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { run } from "#test/clients.ts";
import type { UpReport } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const root = join(import.meta.dirname, "..");

test(
  "the published package works where it is installed",
  { skip: missing("npm-registry") },
  async (t) => {
    using folder = temporaryFolder("package");
    const project = join(folder.path, "project");
    const tarball = await pack(folder.path);
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), '{ "name": "user", "type": "module" }');
    await succeed("npm", ["install", "--prefer-offline", "--loglevel=error", tarball], project);

    await t.test("it holds no sources, and little beside the bundle", () => {
      const installed = join(project, "node_modules/kogge");
      const names = readdirSync(installed).toSorted();
      deepEqual(names, ["LICENSE", "README.md", "bin", "dist", "package.json"]);
      deepEqual(readdirSync(join(installed, "dist")).toSorted(), [
        "LICENSES.txt",
        "generated",
        "main",
        "types",
      ]);
      ok(!existsSync(join(project, "node_modules/@grpc")));
    });

    await t.test("its command starts a cluster, says how it is and stops it", async () => {
      const version = await succeed("npx", ["--no-install", "kogge", "--version"], project);
      match(version, /^\d+\.\d+\.\d+\n$/);
      const dataDir = join(folder.path, "data");
      const kogge = async (...words: string[]): Promise<string> =>
        succeed(
          join(project, "node_modules/.bin/kogge"),
          [...words, "--data-dir", dataDir],
          project,
        );
      try {
        const up = reportOf(await kogge("up", "--runtime", "simulated", "--detach", "--json"));
        equal(up.ready, true);
        deepEqual(reportOf(await kogge("status", "--json")), up);
      } finally {
        await kogge("down");
      }
      const stopped = await run(join(project, "node_modules/.bin/kogge"), [
        "status",
        "--data-dir",
        dataDir,
      ]);
      equal(stopped.code, 3);
    });

    writeFileSync(join(project, "user.ts"), userProgram);

    await t.test("its declarations describe the library, strictly", async () => {
      const options =
        "--ignoreConfig --noEmit --strict --skipLibCheck false --target es2024 --module nodenext --types node";
      const typeRoots = join(root, "node_modules/@types");
      const compiler = join(root, "node_modules/typescript/bin/tsc");
      const words = [compiler, ...options.split(" "), "--typeRoots", typeRoots, "user.ts"];
      await succeed(process.execPath, words, project);
    });

    await t.test("its library runs a cluster with controllers, nodes and OpenAPI", async () => {
      const output = await succeed(process.execPath, ["user.ts"], project);
      deepEqual(JSON.parse(output), { ready: 2, describesPods: true });
    });
  },
);

const userProgram = `import { createCluster } from "kogge/testing";
import { deployments } from "kogge/resources";
import type { Deployment } from "kogge/types";

const labels = { app: "web" };
const web: Deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "web" }] } },
  },
};
// @ts-expect-error: a name is text
web.metadata.name satisfies number;

const output: Record<string, unknown> = {};
{
  await using cluster = await createCluster();
  await cluster.client.create(deployments, web);
  const known = cluster.informers.of(deployments);
  const ready = () => known.get({ namespace: "default", name: "web" })?.status?.readyReplicas;
  await known.until(() => ready() === 2, AbortSignal.timeout(30_000));
  output.ready = ready();
  const openapi = JSON.stringify(await cluster.client.read("/openapi/v3/api/v1"));
  output.describesPods = openapi.includes("io.k8s.api.core.v1.Pod");
}
console.log(JSON.stringify(output));
`;

async function pack(directory: string): Promise<string> {
  await succeed("npm", ["pack", "--loglevel=error", "--pack-destination", directory], root);
  const tarball = readdirSync(directory).find((name) => name.endsWith(".tgz"));
  ok(tarball !== undefined, "npm pack writes a tarball");
  return join(directory, tarball);
}

async function succeed(program: string, words: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, words, { cwd, timeoutMs: 300_000 });
  equal(code, 0, `${program} ${words.join(" ")} ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}

function reportOf(output: string): UpReport {
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as UpReport;
}
