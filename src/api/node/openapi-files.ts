import { readFile } from "node:fs/promises";

/** A document as it goes to a client, and the hash of its content, which serves as ETag and in URLs. */
export interface OpenApiFile {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** The OpenAPI documents that are built with the package, read from their files only when they are asked for. */
export const openApiFiles = {
  /** OpenAPI 2 of the whole built-in API, as JSON. */
  async v2(): Promise<OpenApiFile> {
    return read((await index()).v2);
  },

  /**
   * The same document for those who accept `application/com.github.proto-openapi.spec.v2@v1.0+protobuf`. Its content
   * type is `application/com.github.proto-openapi.spec.v2.v1.0+protobuf`: Go parses no type with an "@".
   */
  async v2Protobuf(): Promise<OpenApiFile> {
    return read((await index()).v2Protobuf);
  },

  /** The hash of the document of each built-in group version, by its path: `api/v1`, `apis/apps/v1`. */
  async v3Index(): Promise<ReadonlyMap<string, string>> {
    const { v3 } = await index();
    return new Map(Object.entries(v3).map(([path, { hash }]) => [path, hash]));
  },

  /** OpenAPI 3 of one group version; undefined for a version that is not built in. */
  async v3(path: string): Promise<OpenApiFile | undefined> {
    const { v3 } = await index();
    const entry = Object.hasOwn(v3, path) ? v3[path] : undefined;
    return entry === undefined ? undefined : read(entry);
  },
};

interface Entry {
  readonly file: string;
  readonly hash: string;
}

interface Index {
  readonly v3: Readonly<Record<string, Entry>>;
  readonly v2: Entry;
  readonly v2Protobuf: Entry;
}

const root = new URL("../generated/openapi/", import.meta.url);

let loaded: Promise<Index> | undefined;

function index(): Promise<Index> {
  loaded ??= readFile(new URL("index.json", root), "utf8").then(
    (text) => JSON.parse(text) as Index,
  );
  return loaded;
}

/** Documents are asked for seldom and are large: they are read each time and not kept. */
async function read({ file, hash }: Entry): Promise<OpenApiFile> {
  return { bytes: await readFile(new URL(file, root)), hash };
}
