import { setTimeout as delay } from "node:timers/promises";
import type { CriImage } from "#agent/containerd/cri-answers.ts";
import { criTable } from "#agent/containerd/cri-messages.ts";
import { type GrpcChannel, openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { normaliseImage } from "#agent/images/image-name.ts";
import { run } from "#agent/containerd/run.ts";

/** Gives an OCI or docker archive to the containerd at `socket`; returns the references that it held. */
export async function importImageArchive(
  socket: string,
  archive: string,
): Promise<readonly string[]> {
  using channel = openGrpcChannel(socket, [criTable]);
  const ctr = ["--address", socket, "--namespace", "k8s.io", "images", "import"];
  const snapshotter = await snapshotterOf(channel);
  const output = await run("ctr", [...ctr, "--snapshotter", snapshotter, archive]);
  const names = [...output.matchAll(/^unpacking (\S+)/gm)].map(([, name]) => name ?? "");
  for (const name of names) await untilKnown(channel, name);
  return names;
}

/** Takes one name from an image; the image goes with its last name. CRI itself would take all of them at once. */
export async function removeImageName(socket: string, image: string): Promise<void> {
  using channel = openGrpcChannel(socket, [criTable]);
  const name = normaliseImage(image);
  const { image: found } = await channel.call<{ image: CriImage | null }>(
    "runtime.v1.ImageService/ImageStatus",
    { image: { image: name } },
  );
  const others = [...(found?.repoTags ?? []), ...(found?.repoDigests ?? [])].filter(
    (other) => other !== name,
  );
  if (found && others.length === 0) {
    // The id is a name too, by which containerd would keep it.
    await channel.call("runtime.v1.ImageService/RemoveImage", { image: { image: found.id } });
    return;
  }
  const ctr = ["--address", socket, "--namespace", "k8s.io", "images", "remove", "--sync"];
  await run("ctr", [...ctr, name]);
}

const knownAttempts = 100;
const knownPauseMs = 20;

/** CRI learns of an import from an event, a moment after it. */
export async function untilKnown(channel: GrpcChannel, image: string): Promise<void> {
  for (let attempt = 0; attempt < knownAttempts; attempt += 1) {
    const answer = await channel.call<{ image: unknown }>("runtime.v1.ImageService/ImageStatus", {
      image: { image },
    });
    if (answer.image) return;
    await delay(knownPauseMs);
  }
  throw new Error(`Cannot use image "${image}": containerd imported it but does not know it`);
}

/** What containerd keeps the layers of its images with. */
export async function snapshotterOf(channel: GrpcChannel): Promise<string> {
  const { info } = await channel.call<{ info: Record<string, string> }>(
    "runtime.v1.RuntimeService/Status",
    { verbose: true },
  );
  const config = JSON.parse(info["config"] ?? "{}") as {
    containerd?: { snapshotter?: string };
  };
  return config.containerd?.snapshotter ?? "overlayfs";
}
