import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/** Works on an archive, unpacked first where it is gzipped: containerd's importer takes plain tar only. */
export async function withPlainArchive<T>(
  file: string,
  work: (archive: string) => Promise<T>,
): Promise<T> {
  if (!(await isGzipped(file))) return work(file);
  const folder = await mkdtemp(join(tmpdir(), "kogge-archive-"));
  try {
    const plain = join(folder, "image.tar");
    await pipeline(createReadStream(file), createGunzip(), createWriteStream(plain));
    return await work(plain);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const gzipMagic = Buffer.from([0x1f, 0x8b]);

async function isGzipped(file: string): Promise<boolean> {
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(
    Buffer.alloc(gzipMagic.length),
    0,
    gzipMagic.length,
    0,
  );
  return bytesRead === gzipMagic.length && buffer.equals(gzipMagic);
}
