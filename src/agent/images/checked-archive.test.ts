import { deepEqual, equal, rejects } from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { pack } from "tar-stream";
import { seededRandom } from "#base/random.ts";
import { checkedArchive } from "#agent/images/checked-archive.ts";
import { ociArchive } from "#agent/images/oci-archive.ts";

const name = "registry.test/web:1";
const files = [{ path: "hello", content: Buffer.alloc(5000, "hello") }];
const archive = await ociArchive({ name, files, architecture: "amd64" });

/** In pieces of up to `bytesMax`. */
async function* pieces(bytes: Buffer, bytesMax: number, seed = 1): AsyncGenerator<Uint8Array> {
  const random = seededRandom(seed);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + Math.floor(random() * bytesMax);
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function tarOf(entries: readonly { name: string; content: string; type?: "symlink" }[]) {
  const made = pack();
  for (const { name: path, content, type } of entries) {
    if (type) made.entry({ name: path, type, linkname: content });
    else made.entry({ name: path }, content);
  }
  made.finalize();
  return buffer(made);
}

const indexOf = (...manifests: readonly { digest: string; name: string }[]) => ({
  name: "index.json",
  content: JSON.stringify({
    manifests: manifests.map(({ digest, name: of }) => ({
      digest,
      annotations: { "io.containerd.image.name": of },
    })),
  }),
});

test("checkedArchive() passes an archive on as it came, in whatever pieces", async () => {
  for (const [seed, bytesMax] of [1, 7, 511, 512, 513, 4096, 1 << 20].entries()) {
    if (bytesMax === 1 && archive.length > 100_000) continue;
    const passed = await buffer(checkedArchive(pieces(archive, bytesMax, seed), [name]));
    equal(passed.equals(archive), true, `pieces of up to ${bytesMax}`);
  }
});

test("checkedArchive() refuses what was not asked for, before its end is passed on", async () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const cases: readonly [string, Buffer, RegExp][] = [
    ["another name", await tarOf([indexOf({ digest, name: "evil:1" })]), /holds image "evil:1"/],
    [
      "a second name",
      await tarOf([indexOf({ digest, name }, { digest, name: "evil:1" })]),
      /holds image "evil:1"/,
    ],
    [
      "another digest",
      await tarOf([indexOf({ digest, name: `registry.test/web@sha256:${"b".repeat(64)}` })]),
      /the archive holds sha256:aaa\S+ as "registry.test\/web@sha256:bbb/,
    ],
    ["no image", await tarOf([indexOf()]), /holds no image/],
    ["no index", await tarOf([{ name: "oci-layout", content: "{}" }]), /holds no image/],
    ["two indexes", await tarOf([indexOf({ digest, name }), indexOf({ digest, name })]), /second/],
    ["another file", await tarOf([{ name: "repositories", content: "{}" }]), /no part of an image/],
    ["a way out", await tarOf([{ name: "../index.json", content: "{}" }]), /no part of an image/],
    [
      "a link",
      await tarOf([{ name: "index.json", content: "/etc/passwd", type: "symlink" }]),
      /no part of an image/,
    ],
    ["no JSON", await tarOf([{ name: "index.json", content: "{" }]), /JSON/],
    ["too long", await tarOf([{ name: "index.json", content: " ".repeat(2 << 20) }]), /too long/],
    ["half", archive.subarray(0, archive.length / 2), /ended too early/],
    ["nothing", Buffer.alloc(0), /ended too early/],
    ["rubbish", Buffer.alloc(10_000, "rubbish"), /no tar that is understood/],
  ];
  const names = [name, `registry.test/web@sha256:${"b".repeat(64)}`];
  for (const [what, bytes, expected] of cases) {
    await rejects(buffer(checkedArchive(pieces(bytes, 1 << 22), names)), expected, what);
  }
});

test("checkedArchive() reads the size of a layer that is too large for the header", async () => {
  const [size, body] = ["19 size=4294967296\n", "x"];
  const made = pack();
  made.entry({ name: "blobs/sha256/aa" }, body);
  made.finalize();
  const blob = await buffer(made);
  const pax = Buffer.from(blob.subarray(0, 512));
  pax.write("x", 156, "latin1");
  pax.write(size.length.toString(8).padStart(11, "0"), 124, "latin1");
  const start = Buffer.concat([pax, Buffer.from(size.padEnd(512, "\0")), blob.subarray(0, 512)]);
  const piece = Buffer.alloc(64 << 20);
  const seen: number[] = [];
  const walked = (async () => {
    async function* bytes(): AsyncGenerator<Uint8Array> {
      yield start;
      for (let at = 0; at < 64; at += 1) yield piece;
      yield Buffer.alloc(1024);
    }
    for await (const chunk of checkedArchive(bytes(), [name])) seen.push(chunk.length);
  })();
  await rejects(walked, /holds no image/);
  deepEqual(seen.length, 65);
});
