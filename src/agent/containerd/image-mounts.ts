import { normaliseImage } from "#agent/images/image-name.ts";
import { unmountBelow } from "#agent/containerd/containerd-clean.ts";
import type { GrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { run } from "#agent/containerd/run.ts";
import { snapshotterOf } from "#agent/images/import-archive.ts";
import type { ImageMounts } from "#agent/runtime/container-runtime.ts";

/**
 * CRI of containerd before 2.1 mounts no images, so a view of the image's snapshot is mounted here, which its label
 * keeps from containerd's garbage collection until it is removed.
 */
export function createImageMounts(channel: GrpcChannel, socket: string): ImageMounts {
  const snapshots = async (...args: readonly string[]): Promise<string> => {
    const snapshotter = await snapshotterOf(channel);
    const where = ["--address", socket, "--namespace", "k8s.io"];
    return run("ctr", [...where, "snapshots", "--snapshotter", snapshotter, ...args]);
  };
  return {
    async mount(image, target) {
      await snapshots("view", target, await chainOf(channel, image)).catch(
        unless("already exists"),
      );
      await mountAsTold(await snapshots("mounts", target, target), target);
    },
    async unmount(target) {
      await unmountBelow([target]);
      await snapshots("rm", target).catch(unless("not found"));
    },
  };
}

/** The name of the snapshot that has all layers of the image. */
async function chainOf(channel: GrpcChannel, image: string): Promise<string> {
  const { info } = await channel.call<{ info: Record<string, string> }>(
    "runtime.v1.ImageService/ImageStatus",
    { image: { image: normaliseImage(image) }, verbose: true },
  );
  const { chainID = "" } = JSON.parse(info["info"] ?? "{}") as { chainID?: string };
  if (chainID === "") throw new Error(`containerd does not know the layers of image "${image}"`);
  return chainID;
}

/** `ctr` says how to mount in the form of a command: `mount -t TYPE SOURCE TARGET -o OPTIONS`. */
async function mountAsTold(command: string, target: string): Promise<void> {
  const found = /^mount -t (?<type>\S+) (?<source>\S+) \S+ -o (?<options>\S+)/.exec(command.trim());
  const { type = "", source = "", options = "" } = found?.groups ?? {};
  if (type === "") throw new Error(`Cannot mount an image: "${command.trim()}" is not understood`);
  if (type === "bind") {
    await run("mount", ["--bind", source, target]);
    await run("mount", ["-o", "remount,bind,ro", target]);
    return;
  }
  await run("mount", ["-t", type, "-o", options, source, target]);
}

function unless(text: string): (error: unknown) => string {
  return (error) => {
    if (error instanceof Error && error.message.includes(text)) return "";
    throw error;
  };
}
