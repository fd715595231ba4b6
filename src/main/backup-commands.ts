import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { tmpdir } from "node:os";
import process from "node:process";
import { open } from "lmdb";
import type { DataDirOption } from "#cli/options.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import { isShared } from "#main/open-store.ts";
import { readSettings } from "#main/settings.ts";

/** `kogge backup`: a consistent copy of the store, with keys and settings, as a tar archive. The server may run. */
export async function backup(file: string, options: DataDirOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const settings = readSettings(directory);
  if (settings === undefined)
    throw new Error(`There is no cluster in ${directory.root} to back up`);
  if (isShared(settings.store)) throw new Error(etcdAdvice(settings.store));
  if (settings.store !== "lmdb")
    throw new Error(
      `Cannot back up a cluster whose store is "${settings.store}": it is nowhere on disk`,
    );
  const folder = mkdtempSync(join(tmpdir(), "kogge-backup-"));
  try {
    const store = join(folder, "store");
    mkdirSync(store);
    await copyStore(directory.store, store);
    await tar([
      "--create",
      "--file",
      resolve(file),
      "--directory",
      folder,
      "store",
      "--directory",
      directory.root,
      "pki",
      "cluster.json",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  process.stdout.write(`Wrote ${file}\n`);
}

/** etcd has its own snapshots, which hold every cluster that lies in it. */
function etcdAdvice(store: string): string {
  const [endpoint = ""] = store.slice("etcd=".length).split(",");
  return [
    "Cannot back up a cluster whose state is in etcd, which does that itself:",
    `  ETCDCTL_API=3 etcdctl --endpoints ${endpoint} snapshot save FILE`,
    "  ETCDCTL_API=3 etcdctl snapshot restore FILE --data-dir NEW   (with every server stopped)",
    "Keep a copy of pki/ and cluster.json of a server's data directory beside it",
  ].join("\n");
}

/** LMDB's own hot copy: readers of another process see one revision while the server goes on writing. */
async function copyStore(from: string, to: string): Promise<void> {
  const database = open({ path: from, readOnly: true, maxDbs: 12 });
  try {
    await (database as unknown as { backup(path: string): Promise<void> }).backup(to);
  } finally {
    await database.close();
  }
}

/** `kogge restore` */
export async function restore(file: string, options: DataDirOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  if (!existsSync(file)) throw new Error(`Cannot restore from "${file}": there is no such file`);
  if (existsSync(directory.root) && readdirSync(directory.root).length > 0) {
    throw new Error(
      `Cannot restore into ${directory.root}: it is not empty; \`kogge reset --yes\` removes it`,
    );
  }
  const unpacking = `${directory.root}.restoring`;
  mkdirSync(dirname(directory.root), { recursive: true });
  rmSync(unpacking, { recursive: true, force: true });
  mkdirSync(unpacking, { mode: 0o755 });
  try {
    await tar(["--extract", "--file", resolve(file), "--directory", unpacking]);
    if (!existsSync(join(unpacking, "cluster.json")))
      throw new Error(`Cannot restore from "${file}": it is no backup of a cluster`);
    if (existsSync(directory.root)) rmSync(directory.root, { recursive: true });
    renameSync(unpacking, directory.root);
  } finally {
    rmSync(unpacking, { recursive: true, force: true });
  }
  process.stdout.write(
    `Restored to ${directory.root}; start it with \`kogge up --data-dir ${directory.root}\`\n`,
  );
}

function tar(words: readonly string[]): Promise<void> {
  return new Promise((done, reject) => {
    const child = spawn("tar", [...words], { stdio: ["ignore", "inherit", "pipe"] });
    let problem = "";
    child.stderr.on("data", (chunk: Buffer) => (problem += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? done() : reject(new Error(`Cannot use the archive: ${problem.trim()}`)),
    );
  });
}
