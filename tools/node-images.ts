import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";

/** Whether the node knows the image under this name and as the same build (its id begins alike). */
export async function nodeHasImage(socket: string, tag: string, id: string): Promise<boolean> {
  await using runtime = await connectContainerd({
    socket,
    clock: systemClock,
    log: silentLog,
    streamClient,
  });
  const image = await runtime.imageStatus(tag);
  return image !== undefined && image.id.replace("sha256:", "").startsWith(id.slice(0, 12));
}
