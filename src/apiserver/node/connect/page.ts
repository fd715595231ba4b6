import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Transform } from "node:stream";
import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createDeflateRaw,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
  createZstdCompress,
  createZstdDecompress,
} from "node:zlib";
import { locationBehind, spliceOf } from "#apiserver/node/connect/page-links.ts";
import type { Mount } from "#apiserver/node/connect/page-links.ts";

/** An answer as it is passed on: the body goes through the stages. */
interface Passing {
  readonly headers: IncomingHttpHeaders;
  readonly stages: readonly Transform[];
}

/** Leads the links of an HTML page, or else the redirect, through the proxy. Nothing else of the answer is changed. */
export async function behindMount(
  answer: IncomingMessage,
  { mount, method }: { readonly mount: Mount; readonly method: string },
): Promise<Passing> {
  const { headers } = answer;
  if (headers.location) {
    const location = locationBehind(headers.location, mount);
    return { headers: { ...headers, location }, stages: [] };
  }
  const coding = isPage(answer)
    ? codings.get(headers["content-encoding"] ?? "identity")
    : undefined;
  if (coding === undefined) return { headers, stages: [] };
  const stages = hasBody(answer, method) ? await stagesOf(answer, { coding, mount }) : [];
  return { headers: withoutMeasures(headers), stages };
}

/** In UTF-16 no byte is a character of its own; a part of a page has to fit to the others. */
function isPage({ headers, statusCode }: IncomingMessage): boolean {
  const [type, ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";");
  const isWide = parameters.some((one) => /^\s*charset\s*=\s*"?\s*utf-?(16|32)/.test(one));
  return type?.trim() === "text/html" && !isWide && statusCode !== 206;
}

function hasBody({ statusCode }: IncomingMessage, method: string): boolean {
  return method !== "HEAD" && statusCode !== 204 && statusCode !== 304;
}

/** What they say is true of the page as it was. */
function withoutMeasures(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !measures.has(name)));
}

const measures = new Set([
  "accept-ranges",
  "content-digest",
  "content-length",
  "content-md5",
  "digest",
  "repr-digest",
]);

interface Coding {
  readonly decode: () => Transform;
  readonly encode: () => Transform;
}

async function stagesOf(
  answer: IncomingMessage,
  { coding, mount }: { readonly coding: CodingOf; readonly mount: Mount },
): Promise<Transform[]> {
  const rewriting = await rewritingOf(mount);
  const coded = await coding(answer);
  return coded === undefined ? [rewriting] : [coded.decode(), rewriting, coded.encode()];
}

/** The library is read when the first page passes. One character stands for one byte, whatever the character set. */
async function rewritingOf(mount: Mount): Promise<Transform> {
  const { HtmlLinks } = await import("#apiserver/node/connect/html-links.ts");
  const links = new HtmlLinks((url) => spliceOf(url, mount));
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) =>
      done(null, Buffer.from(links.write(chunk.toString("latin1")), "latin1")),
    flush: (done) => done(null, Buffer.from(links.end(), "latin1")),
  });
}

type CodingOf = (answer: IncomingMessage) => Promise<Coding | undefined> | Coding | undefined;

/** A page may come in pieces, with time between them: every piece is passed on as it comes. */
const eachPiece = { level: constants.Z_BEST_SPEED, flush: constants.Z_SYNC_FLUSH };
const eachBrotliPiece = {
  flush: constants.BROTLI_OPERATION_FLUSH,
  params: { [constants.BROTLI_PARAM_QUALITY]: 4 },
};
const eachZstdPiece = {
  flush: constants.ZSTD_e_flush,
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
};

const gzip: Coding = { decode: () => createGunzip(), encode: () => createGzip(eachPiece) };
const zlib: Coding = { decode: () => createInflate(), encode: () => createDeflate(eachPiece) };
const raw: Coding = { decode: () => createInflateRaw(), encode: () => createDeflateRaw(eachPiece) };
const brotli: Coding = {
  decode: () => createBrotliDecompress(),
  encode: () => createBrotliCompress(eachBrotliPiece),
};
const zstd: Coding = {
  decode: () => createZstdDecompress(),
  encode: () => createZstdCompress(eachZstdPiece),
};

/** Pages that are encoded in another way pass as they are. */
const codings: ReadonlyMap<string, CodingOf> = new Map<string, CodingOf>([
  ["identity", () => undefined],
  ["gzip", () => gzip],
  ["x-gzip", () => gzip],
  // By the RFC it is zlib's format; some servers, and upstream's proxy, mean what is inside that.
  ["deflate", async (answer) => ((await beginsAsZlib(answer)) ? zlib : raw)],
  // Upstream leaves pages in these two as they are; browsers ask for them.
  ["br", () => brotli],
  ["zstd", () => zstd],
]);

async function beginsAsZlib(answer: IncomingMessage): Promise<boolean> {
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      answer.off("readable", settle).off("close", settle);
      resolve();
    };
    answer.on("readable", settle).on("close", settle);
  });
  const first = answer.read() as Buffer | null;
  if (first === null) return true;
  answer.unshift(first);
  return ((first[0] ?? 0) & 0x0f) === zlibDeflate;
}

/** The compression method in the first byte of zlib's format (RFC 1950). */
const zlibDeflate = 8;
