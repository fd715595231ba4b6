import { open, realpath } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { openInside } from "#agent/volumes/mounts.ts";

/** What a file of variables may have. */
const bytesMax = 64 * 1024;

/** The text of a file in a volume, which a container may be changing: no link leads out of it. */
export async function readVolumeFile(root: string, path: string): Promise<string> {
  const realRoot = await realpath(root);
  const inside = relative(realRoot, await realpath(join(realRoot, path)));
  if (inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new Error(`"${path}" leads out of the volume`);
  }
  const named = await openInside(realRoot, inside.split(sep).filter(Boolean));
  try {
    const info = await named.stat();
    if (!info.isFile()) throw new Error(`"${path}" is no file`);
    if (info.size > bytesMax) throw new Error(`"${path}" is larger than ${bytesMax} bytes`);
    const file = await open(`/proc/self/fd/${named.fd}`);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0);
      return buffer.subarray(0, bytesRead).toString();
    } finally {
      await file.close();
    }
  } finally {
    await named.close();
  }
}
