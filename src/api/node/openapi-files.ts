import { readFile } from "node:fs/promises";

/** A document as it goes to a client, and the hash of its content, which serves as ETag and in URLs. */
export interface OpenApiFile {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** `/openapi/v3`: where the document of every built-in group version is. */
export async function openApiV3Index(): Promise<OpenApiFile> {
  const { v3 } = await index();
  const paths = Object.entries(v3).map(([path, { hash }]) => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
  ]);
  const bytes = new TextEncoder().encode(JSON.stringify({ paths: Object.fromEntries(paths) }));
  return { bytes, hash: await indexHash() };
}

/** The hash of each built-in document by its path (`apis/apps/v1`), for an index that has custom resources too. */
export async function openApiV3Hashes(): Promise<Readonly<Record<string, string>>> {
  const { v3 } = await index();
  return Object.fromEntries(Object.entries(v3).map(([path, { hash }]) => [path, hash]));
}

/** The OpenAPI 3 document of `api/v1` or `apis/GROUP/VERSION`; undefined for a version that is not built in. */
export async function openApiV3(groupVersionPath: string): Promise<OpenApiFile | undefined> {
  const { v3 } = await index();
  const entry = Object.hasOwn(v3, groupVersionPath) ? v3[groupVersionPath] : undefined;
  return entry === undefined ? undefined : read(entry);
}

/** The OpenAPI 2 document of the whole built-in API. */
export async function openApiV2(): Promise<OpenApiFile> {
  return read((await index()).v2);
}

interface Entry {
  readonly file: string;
  readonly hash: string;
}

interface Index {
  readonly v3: Readonly<Record<string, Entry>>;
  readonly v2: Entry;
}

const root = new URL("../generated/openapi/", import.meta.url);

let loaded: Promise<Index> | undefined;

function index(): Promise<Index> {
  loaded ??= readFile(new URL("index.json", root), "utf8").then(
    (text) => JSON.parse(text) as Index,
  );
  return loaded;
}

async function indexHash(): Promise<string> {
  const { v2 } = await index();
  return v2.hash;
}

/** Documents are asked for seldom and are large: they are read each time and not kept. */
async function read({ file, hash }: Entry): Promise<OpenApiFile> {
  return { bytes: await readFile(new URL(file, root)), hash };
}
