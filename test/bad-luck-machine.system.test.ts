import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "#test/clients.ts";
import type { Outcome } from "#test/clients.ts";
import { freePort, koggeBinary, koggeFor, machineTraces } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { configMap, configMaps, post } from "#test/refusals.ts";
import { temporaryFolder } from "#test/temporary.ts";

const simulated = ["--runtime", "simulated"];

test("flags that are wrong are named, with exit code 1", async () => {
  using folder = temporaryFolder("flags");
  await using kogge = koggeFor(join(folder.path, "data"));
  const cases: readonly (readonly [words: readonly string[], said: string])[] = [
    [["up", "--bogus"], "error: unknown option '--bogus'"],
    [["sail"], "error: unknown command 'sail'"],
    [
      ["up", "--port", "99999"],
      "error: option '--port <number>' argument '99999' is invalid. a port is a whole number from 1 to 65535",
    ],
    [
      ["up", "--nodes", "-1"],
      "error: option '--nodes <number>' argument '-1' is invalid. a whole number from 0 to 10000",
    ],
    [
      ["up", "--runtime", "docker"],
      "error: option '--runtime <runtime>' argument 'docker' is invalid. Allowed choices are auto, containerd, simulated.",
    ],
    [["agent", "--token", "x"], "error: required option '--server <url>' not specified"],
    [["backup"], "error: missing required argument 'file'"],
  ];
  for (const [words, said] of cases) {
    const { code, stderr } = await kogge.try(words);
    deepEqual([code, stderr.split("\n")[0]], [1, said]);
  }
});

test("status and down of a cluster that does not run", async () => {
  using folder = temporaryFolder("absent");
  const dataDir = join(folder.path, "data");
  await using kogge = koggeFor(dataDir);
  deepEqual(await kogge.try(["status"]), {
    code: 3,
    stdout: `No cluster runs on ${dataDir}; start it with \`kogge up\`\n`,
    stderr: "",
  });
  deepEqual(await kogge.try(["status", "--json"]), {
    code: 3,
    stdout: '{"ready":false}\n',
    stderr: "",
  });
  deepEqual(await kogge.try(["down"]), {
    code: 0,
    stdout: `No cluster runs on ${dataDir}\n`,
    stderr: "",
  });
});

test(
  "two clusters live side by side; a second start finds the first, a taken port is named, down works twice",
  { skip: missing("linux"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("beside");
    await using left = koggeFor(join(folder.path, "left"));
    await using right = koggeFor(join(folder.path, "right"));
    await using third = koggeFor(join(folder.path, "third"));
    const [one, other] = await Promise.all([
      left.up([...simulated, "--port", String(await freePort())]),
      right.up([...simulated, "--port", String(await freePort())]),
    ]);
    notEqual(one.server, other.server);
    const oneAccess = accessOf(readFileSync(one.kubeconfig, "utf8"));
    const otherAccess = accessOf(readFileSync(other.kubeconfig, "utf8"));
    equal((await send(oneAccess, post(configMap("only-here")))).status, 201);
    equal((await send(otherAccess, { path: `${configMaps}/only-here` })).status, 404);
    // Who belongs to one is nobody in the other.
    equal(
      (
        await send(
          { ...oneAccess, port: otherAccess.port, ca: otherAccess.ca },
          { path: configMaps },
        )
      ).status,
      401,
    );

    const again = await left.try(["up", "--detach", "--json", ...simulated]);
    deepEqual(
      [again.code, again.stderr, (JSON.parse(again.stdout) as { pid: number }).pid],
      [0, `A cluster already runs here (process ${one.pid})\n`, one.pid],
    );
    const server = await left.try(["server"]);
    equal(server.code, 1);
    match(
      server.stderr,
      new RegExp(`Cannot open the store in ".*": process ${one.pid} is using it`),
    );

    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const taken = await third.try(["up", "--detach", ...simulated, "--port", String(port)]);
    holder.close();
    equal(taken.code, 1);
    match(
      taken.stderr,
      new RegExp(
        `kogge: Cannot listen on port ${port}: another program does; choose one with --port`,
      ),
    );
    equal((await third.try(["status"])).code, 3);

    equal(await left("down"), "Stopped\n");
    equal(await left("down"), `No cluster runs on ${join(folder.path, "left")}\n`);
    equal((await send(otherAccess, { path: configMaps })).status, 200);
  },
);

test(
  "damaged files are named, or made again where they can be",
  { skip: missing("linux"), timeout: 180_000 },
  async () => {
    using folder = temporaryFolder("damaged");
    const original = join(folder.path, "original");
    const dataDir = join(folder.path, "data");
    await using source = koggeFor(original);
    await using kogge = koggeFor(dataDir);
    const up = [...simulated, "--port", String(await freePort())];
    const { kubeconfig } = await source.up(up);
    const access = accessOf(readFileSync(kubeconfig, "utf8"));
    equal((await send(access, post(configMap("kept")))).status, 201);
    await source("down");

    const start = async (
      files: Readonly<Record<string, string | Uint8Array>>,
    ): Promise<Outcome> => {
      cpSync(original, dataDir, { recursive: true, force: true });
      for (const [name, content] of Object.entries(files))
        writeFileSync(join(dataDir, name), content);
      return kogge.try(["up", "--detach", ...up]);
    };
    const store = readFileSync(join(original, "store/data.mdb"));
    const otherKey = readFileSync(join(original, "pki/sa.key"));
    const refused: readonly (readonly [files: Parameters<typeof start>[0], said: RegExp])[] = [
      [{ "cluster.json": '{"id":' }, /^kogge: Cannot read .*\/cluster\.json: it is not JSON/m],
      [
        { "cluster.json": "[]" },
        /^kogge: Cannot use .*\/cluster\.json: it is not what a cluster's settings look like/m,
      ],
      [{ "cluster.json": '{"id":5}' }, /^kogge: Cannot use .*\/cluster\.json: it is not what/m],
      [
        { "pki/ca.key": "x" },
        /^kogge: Cannot use the certificate authority in ".*\/ca\.key" and ".*\/ca\.crt": restore/m,
      ],
      [{ "pki/ca.crt": "x" }, /^kogge: Cannot use the certificate authority in /m],
      [
        { "pki/ca.key": otherKey },
        /^kogge: Cannot use the certificate authority in .*do not match/m,
      ],
      [{ "pki/sa.key": "x" }, /^kogge: Cannot use the key in ".*\/sa\.key": restore/m],
      [{ "store/data.mdb": "no database" }, /^kogge: Cannot open the store in ".*\/store": /m],
      [
        { "store/data.mdb": new Uint8Array(store.length) },
        /^kogge: Cannot open the store in ".*\/store": /m,
      ],
    ];
    for (const [files, said] of refused) {
      const { code, stderr } = await start(files);
      equal(code, 1, `${Object.keys(files).join()}: ${stderr}`);
      match(stderr, said);
      equal((await kogge.try(["status"])).code, 3);
    }
    const mended: readonly Readonly<Record<string, string>>[] = [
      { "running.json": "{" },
      { "running.json": "null" },
      { "pki/apiserver.crt": "x", "pki/admin.crt": "", "pki/kubelet-server.key": "x" },
      { kubeconfig: "x" },
      { "store/lock.mdb": "x" },
    ];
    for (const files of mended) {
      const { code, stderr } = await start(files);
      equal(code, 0, `${Object.keys(files).join()}: ${stderr}`);
      const now = accessOf(readFileSync(join(dataDir, "kubeconfig"), "utf8"));
      equal((await send(now, { path: `${configMaps}/kept` })).status, 200);
      await kogge("down");
    }
  },
);

test(
  "a data directory that may not be written is named",
  { skip: missing("linux", "root"), timeout: 60_000 },
  async () => {
    using folder = temporaryFolder("forbidden");
    const dataDir = join(folder.path, "data");
    mkdirSync(dataDir, { mode: 0o755 });
    chmodSync(folder.path, 0o755);
    const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const environment = { HOME: folder.path, NODE_COMPILE_CACHE: "" };
    const words = [...asNobody, koggeBinary, "up", "--detach", ...simulated, "--data-dir", dataDir];
    const { code, stderr } = await run("setpriv", words, { env: environment });
    equal(code, 1, stderr);
    match(stderr, new RegExp(`kogge: Cannot .*${dataDir}.*(EACCES|permission denied)`));
  },
);

test(
  "a start that fails leaves no containerd",
  { skip: missing("root", "containerd", "cni", "nft"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("fails");
    const dataDir = join(folder.path, "data");
    await using kogge = koggeFor(dataDir);
    const words = ["--runtime", "containerd", "--port", String(await freePort())];
    const file = join(folder.path, "missing.yaml");
    const { code, stderr } = await kogge.try(["up", ...words, "--scheduler-config", file]);
    equal(code, 1);
    match(stderr, /^kogge: Cannot use --scheduler-config \S+: ENOENT: [^:]*$/m);
    deepEqual(
      machineTraces([dataDir]).filter((trace) => trace.includes(dataDir)),
      [],
    );
  },
);
