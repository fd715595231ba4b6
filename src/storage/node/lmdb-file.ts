import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Looks at the two pages with which a database begins, before LMDB maps the file: with a damaged one it may crash the
 * process instead of saying so. An absent or empty file is a database that begins.
 * @throws Error when it is none
 */
export function assertDatabase(directory: string): void {
  const file = join(directory, "data.mdb");
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return;
  const head = readHead(file);
  if (hasMeta(head, 0) && pageSizes.some((bytes) => hasMeta(head, bytes))) return;
  throw new Error(`"${file}" is damaged or no database: restore it from a backup`);
}

/** LMDB takes the size of a page of memory, up to its own limit. */
const pageSizes = [4096, 8192, 16_384, 32_768];
const magic = 0xbeefc0de;
/** Behind a page's header. */
const magicAt = 24;

function hasMeta(head: DataView, page: number): boolean {
  return page + magicAt + 4 <= head.byteLength && head.getUint32(page + magicAt, true) === magic;
}

function readHead(file: string): DataView {
  const bytes = new Uint8Array(2 * 32_768);
  const descriptor = openSync(file, "r");
  try {
    return new DataView(bytes.buffer, 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
