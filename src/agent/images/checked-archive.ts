/**
 * An OCI archive as it came, byte for byte, that ends with an error unless it holds exactly what was asked for: images
 * of these names and no others, and under a name with a digest what has that digest. containerd makes names only once
 * it has the end of the archive, which is passed on after all is checked; that blobs have their digests it checks
 * itself.
 */
export async function* checkedArchive(
  archive: AsyncIterable<Uint8Array>,
  names: readonly string[],
): AsyncGenerator<Uint8Array> {
  const walker = new ArchiveWalker(names);
  for await (const chunk of archive) {
    walker.walk(chunk);
    yield chunk;
  }
  walker.end();
}

const blockBytes = 512;
const indexName = "index.json";
const indexBytesMax = 1024 * 1024;
/** What `ctr images export` writes, and nothing that another reader of tar could understand otherwise. */
const entryNames = /^(blobs\/(sha(256|512)\/([0-9a-f]+)?)?|index\.json|manifest\.json|oci-layout)$/;

interface Part {
  readonly keep: boolean;
  /** With what fills the last block up. */
  remainingBytes: number;
  readonly sizeBytes: number;
  readonly done: (content: Buffer) => void;
}

/** Follows a tar (POSIX.1-2001, `ustar` with `pax` sizes) through chunks of any length. */
class ArchiveWalker {
  readonly #names: readonly string[];
  #part: Part;
  #kept: Uint8Array[] = [];
  #paxSizeBytes: number | undefined;
  #hasIndex = false;
  #isAtEnd = false;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#part = this.#header();
  }

  walk(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#isAtEnd) {
      const part = this.#part;
      const piece = chunk.subarray(at, at + part.remainingBytes);
      if (part.keep) this.#kept.push(piece);
      part.remainingBytes -= piece.length;
      at += piece.length;
      if (part.remainingBytes === 0) this.#finish(part);
    }
  }

  end(): void {
    if (!this.#isAtEnd) throw new Error("the archive ended too early");
  }

  #finish(part: Part): void {
    const content = Buffer.concat(this.#kept).subarray(0, part.sizeBytes);
    this.#kept = [];
    this.#part = this.#header();
    part.done(content);
  }

  #header(): Part {
    const done = (block: Buffer): void => this.#readHeader(block);
    return { keep: true, remainingBytes: blockBytes, sizeBytes: blockBytes, done };
  }

  #readHeader(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      if (!this.#hasIndex) throw new Error("the archive holds no image");
      this.#isAtEnd = true;
      return;
    }
    const type = String.fromCharCode(block[156] ?? 0);
    const sizeBytes = this.#paxSizeBytes ?? octal(block.subarray(124, 136));
    this.#paxSizeBytes = undefined;
    if (type === "x") return this.#body(sizeBytes, (content) => this.#readPax(content));
    const name = text(block.subarray(0, 100));
    const hasPrefix = block[345] !== 0;
    if (!entryNames.test(name) || hasPrefix || (type !== "0" && type !== "5")) {
      throw new Error(`the archive holds "${name}", which is no part of an image`);
    }
    if (name === indexName) this.#body(sizeBytes, (content) => this.#readIndex(content));
    else this.#skip(sizeBytes);
  }

  #body(sizeBytes: number, done: (content: Buffer) => void): void {
    if (sizeBytes > indexBytesMax) throw new Error(`the archive describes itself too long`);
    if (sizeBytes === 0) return done(Buffer.alloc(0));
    this.#part = { keep: true, remainingBytes: padded(sizeBytes), sizeBytes, done };
  }

  #skip(sizeBytes: number): void {
    if (sizeBytes === 0) return;
    this.#part = { keep: false, remainingBytes: padded(sizeBytes), sizeBytes: 0, done: () => {} };
  }

  /** Layers of more than 8 GiB have their size here; nothing else is expected. */
  #readPax(content: Buffer): void {
    const found = /^\d+ size=(?<size>\d+)\n$/.exec(content.toString());
    if (found === null) throw new Error("the archive is no tar that is understood");
    this.#paxSizeBytes = Number(found.groups?.["size"]);
  }

  #readIndex(content: Buffer): void {
    if (this.#hasIndex) throw new Error(`the archive has a second ${indexName}`);
    this.#hasIndex = true;
    checkIndex(JSON.parse(content.toString()) as Index, this.#names);
  }
}

function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? field.length : end);
}

function octal(field: Buffer): number {
  const digits = text(field).trim();
  if (!/^[0-7]+$/.test(digits)) throw new Error("the archive is no tar that is understood");
  return Number.parseInt(digits, 8);
}

interface Index {
  readonly manifests?: readonly {
    readonly digest?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

function checkIndex({ manifests = [] }: Index, names: readonly string[]): void {
  if (manifests.length === 0) throw new Error("the archive holds no image");
  for (const { digest = "", annotations = {} } of manifests) {
    const name = annotations["io.containerd.image.name"] ?? "";
    if (!names.includes(name)) throw new Error(`the archive holds image "${name}"`);
    const [, wanted = digest] = name.split("@");
    if (wanted !== digest) throw new Error(`the archive holds ${digest} as "${name}"`);
  }
}
