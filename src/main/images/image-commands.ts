import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createProgress } from "#cli/progress.ts";
import type { DataDirOption, JsonOption } from "#cli/options.ts";
import type { ImageBuildOptions } from "#cli/program.ts";
import { importImageArchive, removeImageName } from "#agent/images/import-archive.ts";
import { normaliseImage } from "#agent/images/image-name.ts";
import type { ContainerRuntime, ImageInfo } from "#agent/runtime/container-runtime.ts";
import { chooseDataDirectory, prepareDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { buildImage, saveImage } from "#main/images/buildah.ts";
import { withPlainArchive } from "#main/images/plain-archive.ts";
import { machineDirectories } from "#main/nodes/machines/machine-directories.ts";
import { readRunning } from "#main/running-file.ts";
import { textTable } from "#main/text-table.ts";

export async function imageBuild(
  folder: string,
  options: DataDirOption & ImageBuildOptions,
): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const sockets = socketsOf(directory);
  prepareDataDirectory(directory);
  const tag = normaliseImage(options.tag);
  const progress = progressHere();
  progress.step(`Building ${tag}`);
  const id = await buildImage(directory, { folder: resolve(folder), tag, file: options.file });
  progress.step(`Giving ${tag} to ${sockets.length === 1 ? "the node" : "the nodes"}`);
  await handOver(directory, { tag, sockets });
  progress.done();
  process.stdout.write(`${tag} ${id.slice(0, 12)}\n`);
}

/** Saves an image of the build storage and imports it into each node's containerd. */
export async function handOver(
  directory: DataDirectory,
  image: { readonly tag: string; readonly sockets: readonly string[] },
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kogge-image-"));
  try {
    const archive = join(folder, "image.tar");
    await saveImage(directory, image.tag, archive);
    for (const socket of image.sockets) await importImageArchive(socket, archive);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function imageImport(file: string, options: DataDirOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  if (!existsSync(file)) throw new Error(`Cannot import "${file}": there is no such file`);
  const sockets = socketsOf(directory);
  const names = await withPlainArchive(resolve(file), async (archive) => {
    const found = await Promise.all(sockets.map((socket) => importImageArchive(socket, archive)));
    return found[0] ?? [];
  }).catch((cause: unknown) => {
    throw new Error(`Cannot import "${file}" as an OCI or docker archive`, { cause });
  });
  if (names.length === 0) throw new Error(`Cannot import "${file}": it holds no image with a name`);
  for (const name of names) process.stdout.write(`${name}\n`);
}

export async function imageList(options: DataDirOption & JsonOption): Promise<void> {
  await using runtime = await connect(chooseDataDirectory(options.dataDir));
  const images = await runtime.listImages();
  process.stdout.write(options.json ? `${JSON.stringify({ images })}\n` : tableOf(images));
}

export async function imageRemove(name: string, options: DataDirOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  await using runtime = await connect(directory);
  if ((await runtime.imageStatus(name)) === undefined)
    throw new Error(`Cannot remove "${name}": the node has no such image`);
  for (const socket of socketsOf(directory)) await removeImageName(socket, name);
}

/** @throws when no cluster with containerd runs on the data directory */
export function socketOf(directory: DataDirectory): string {
  const running = readRunning(directory);
  if (running === undefined)
    throw new Error(`No cluster runs on ${directory.root}; start it with \`kogge up\``);
  if (running.runtime !== "containerd") {
    throw new Error(
      "The cluster's nodes are simulated: they run any image by its name and keep none",
    );
  }
  return join(directory.root, "containerd/containerd.sock");
}

/** Those of all nodes on this machine. */
export function socketsOf(directory: DataDirectory): readonly string[] {
  const machines = machineDirectories(directory).filter(
    (machine) => readRunning(machine) !== undefined,
  );
  return [socketOf(directory), ...machines.map(socketOf)];
}

async function connect(directory: DataDirectory): Promise<ContainerRuntime> {
  const socket = socketOf(directory);
  const { connectContainerd } = await import("#agent/containerd/containerd-runtime.ts");
  const streamClient = await import("#agent/streams/spdy-client.ts");
  return connectContainerd({ socket, clock: systemClock, log: silentLog, streamClient });
}

function tableOf(images: readonly ImageInfo[]): string {
  const rows = images
    .flatMap((image) =>
      (image.tags.length > 0 ? image.tags : image.digests).map((name) => [
        name,
        image.id.replace("sha256:", "").slice(0, 12),
        size(image.sizeBytes),
      ]),
    )
    .toSorted(([left = ""], [right = ""]) => left.localeCompare(right));
  return textTable(["IMAGE", "ID", "SIZE"], rows);
}

function size(bytes: number): string {
  return bytes < 1_000_000
    ? `${Math.ceil(bytes / 1000)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function progressHere(): ReturnType<typeof createProgress> {
  const { stderr } = process;
  return createProgress({ write: (text) => void stderr.write(text), isTerminal: false }, () =>
    Date.now(),
  );
}
