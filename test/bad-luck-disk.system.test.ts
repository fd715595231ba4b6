import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createWriter } from "#test/cluster-writes.ts";
import type { Writer } from "#test/cluster-writes.ts";
import { freePort, koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { accessOf, send } from "#test/raw-client.ts";
import type { Access } from "#test/raw-client.ts";
import { configMaps } from "#test/refusals.ts";
import { temporaryFolder } from "#test/temporary.ts";

test(
  "a full disk refuses writes with its name, reads go on, room makes writes go on, a restart works",
  { skip: missing("linux", "root"), timeout: 180_000 },
  async () => {
    using folder = temporaryFolder("disk");
    using disk = mountTmpfs(join(folder.path, "disk"), 48);
    const ballast = join(disk.path, "ballast");
    writeFileSync(ballast, new Uint8Array(24 << 20));
    const up = ["--runtime", "simulated", "--port", String(await freePort())];
    await using kogge = koggeFor(join(disk.path, "data"));
    const { kubeconfig } = await kogge.up(up);
    const access = accessOf(readFileSync(kubeconfig, "utf8"));
    using writer = createWriter(access);

    const acknowledged = await fill(writer);
    ok(acknowledged.length > 10, `${acknowledged.length} writes fitted`);
    deepEqual(await lost(access, acknowledged), []);
    equal((await send(access, { path: "/readyz" })).status, 200);
    const again = await writer.ask("POST", configMaps, configMapOf("again"));
    equal(again?.status, 500);

    rmSync(ballast);
    const after = await writer.ask("POST", configMaps, configMapOf("after"));
    equal(after?.status, 201, after?.object.message);
    deepEqual(await lost(access, [...acknowledged, "after"]), []);
    await kogge("down");
    await kogge.up(up);
    deepEqual(await lost(access, [...acknowledged, "after"]), []);

    acknowledged.push(...(await fill(writer, "second")));
    await kogge("down");
    equal((await kogge.try(["status"])).code, 3);
    await kogge.up(up);
    deepEqual(await lost(access, acknowledged), []);
  },
);

/** Writes until the disk is full; what was acknowledged. */
async function fill(writer: Writer, prefix = "first"): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let index = 0; index < 1_000; index++) {
    const name = `${prefix}-${index}`;
    const written = await writer.ask("POST", configMaps, configMapOf(name));
    if (written?.status === 201) acknowledged.push(name);
    else {
      deepEqual([written?.status, written?.object.reason], [500, "InternalError"]);
      match(
        written?.object.message ?? "",
        /^Internal error occurred: Cannot write "\/registry\/core\/configmaps\/default\/[a-z]+-\d+": the disk is full$/,
      );
      return acknowledged;
    }
  }
  throw new Error("the disk did not become full");
}

function configMapOf(name: string): object {
  return { metadata: { name }, data: { a: "x".repeat(300_000) } };
}

async function lost(access: Access, names: readonly string[]): Promise<readonly string[]> {
  const { object, text } = await send(access, { path: configMaps });
  ok(Array.isArray(object.items), text.slice(0, 300));
  const items = object.items as { metadata: { name: string }; data: { a?: string } }[];
  const whole = new Set(
    items.filter(({ data }) => data.a?.length === 300_000).map(({ metadata }) => metadata.name),
  );
  return names.filter((name) => !whole.has(name));
}

function mountTmpfs(path: string, sizeMb: number): { readonly path: string } & Disposable {
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", path]);
  return { path, [Symbol.dispose]: () => void execFileSync("umount", ["--lazy", path]) };
}
