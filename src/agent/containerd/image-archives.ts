import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { GrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { removeImageName, snapshotterOf, untilKnown } from "#agent/images/import-archive.ts";
import type { ImageArchives } from "#agent/runtime/container-runtime.ts";

/** Images through `ctr`, which reads and writes archives as they come: neither memory nor disk holds one. */
export function createImageArchives(channel: GrpcChannel, socket: string): ImageArchives {
  const where = ["--address", socket, "--namespace", "k8s.io", "images"];
  const isKnown = async (name: string): Promise<boolean> => {
    const method = "runtime.v1.ImageService/ImageStatus";
    const answer = await channel.call<{ image: unknown }>(method, { image: { image: name } });
    return answer.image !== null;
  };
  const take = async (archive: AsyncIterable<Uint8Array>): Promise<void> => {
    const snapshotter = await snapshotterOf(channel);
    const words = [...where, "import", "--snapshotter", snapshotter, "-"];
    const child = spawn("ctr", words, { stdio: ["pipe", "ignore", "pipe"] });
    const end = endOf(child);
    let failure: unknown;
    const spoilt = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* archive;
      } catch (error) {
        failure = error;
        yield noTar;
      }
    };
    // When `ctr` ends before the archive does, what it said tells more than the broken pipe.
    const fed = pipeline(spoilt(), child.stdin).catch((error: unknown) => error);
    const said = await end;
    await fed;
    if (failure !== undefined) throw failure as Error;
    if (said !== undefined) throw new Error(`Cannot import the archive: ${said}`);
  };
  return {
    export(names) {
      const child = spawn("ctr", [...where, "export", "-", ...names], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const whole = Readable.from(endedBy(child.stdout, endOf(child)), { objectMode: false });
      whole.once("close", () => {
        child.stdout.destroy();
        child.kill();
      });
      return whole;
    },
    async import(archive, names) {
      const known = await Promise.all(names.map(isKnown));
      try {
        await take(archive);
        for (const name of names) await untilKnown(channel, name);
      } catch (error) {
        const made = names.filter((_, at) => !known[at]);
        for (const name of made) await removeImageName(socket, name).catch(() => {});
        throw error;
      }
    },
  };
}

/** A program's output; its failure is the output's. */
async function* endedBy(
  output: AsyncIterable<Uint8Array>,
  end: Promise<string | undefined>,
): AsyncGenerator<Uint8Array> {
  yield* output;
  const said = await end;
  if (said !== undefined) throw new Error(`Cannot export the image: ${said}`);
}

/** What follows a broken archive, lest the part that came is one by itself. */
const noTar = new Uint8Array(1024).fill(0xff);

const saidBytesMax = 4096;

/** Undefined when the program ended well, else the last that it said. */
async function endOf(child: ChildProcess): Promise<string | undefined> {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-saidBytesMax);
  });
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    if (code === 0) return undefined;
    const last = said
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^ctr: /, "");
    return last || `ctr ended with ${code ?? signal}`;
  } catch (error) {
    return error instanceof Error ? error.message : "ctr cannot be started";
  }
}
