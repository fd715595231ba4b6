import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { equal } from "node:assert/strict";
import { freePort } from "#test/kogge-command.ts";
import { busyboxArchive, busyboxImage, type openRealNode } from "#test/real-node.ts";

type RealNode = Awaited<ReturnType<typeof openRealNode>>;

/** Debian's `docker-registry` with the node's own busybox as `good:1` and `corrupt:1`. */
export async function startRegistry({ dataDir, containerd }: RealNode) {
  const folder = join(dataDir, "registry");
  await mkdir(folder);
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const config = join(folder, "config.yml");
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${folder}/data } }\nhttp: { addr: "${host}" }\n`,
  );
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
    child = undefined;
  };
  const start = async (): Promise<void> => {
    child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
    while (!(await answers(port)));
  };
  const ctr = (...words: string[]): void => {
    const base = ["--address", containerd.socket, "--namespace", "k8s.io"];
    const { status, stderr } = spawnSync("ctr", [...base, ...words], { encoding: "utf8" });
    equal(status, 0, stderr);
  };
  const push = (name: string): void => {
    const reference = `${host}/${name}:1`;
    ctr("images", "tag", `docker.io/library/${busyboxImage}`, reference);
    ctr("images", "push", "--plain-http", reference);
    ctr("images", "rm", reference);
  };
  await start();
  push("good");
  return {
    host,
    start,
    stop,
    /** Puts an image into the registry that is like no other; returns its reference. */
    async add(name: string): Promise<string> {
      const reference = `${host}/${name}:1`;
      const file = join(folder, `${name}.tar`);
      await writeFile(file, await busyboxArchive(reference, name));
      await containerd.importImage(file);
      ctr("images", "push", "--plain-http", reference);
      ctr("images", "rm", reference);
      return reference;
    },
    /** Puts an image into the registry whose manifest names what is not there. */
    async corrupt(name: string): Promise<void> {
      push(name);
      const data = join(folder, "data/docker/registry/v2");
      const manifests = join(data, "repositories", name, "_manifests");
      const link = join(manifests, "tags/1/current/link");
      const blobOf = (hex: string): string => join(data, "blobs/sha256", hex.slice(0, 2), hex);
      const pushed = (await readFile(link, "utf8")).slice("sha256:".length);
      const manifest = await readFile(join(blobOf(pushed), "data"), "utf8");
      const broken = manifest.replaceAll(/sha256:[0-9a-f]{8}/g, "sha256:00000000");
      const digest = createHash("sha256").update(broken).digest("hex");
      await mkdir(blobOf(digest), { recursive: true });
      await writeFile(join(blobOf(digest), "data"), broken);
      await mkdir(join(manifests, "revisions/sha256", digest), { recursive: true });
      await writeFile(join(manifests, "revisions/sha256", digest, "link"), `sha256:${digest}`);
      await writeFile(link, `sha256:${digest}`);
    },
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
