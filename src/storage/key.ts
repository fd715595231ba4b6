import type { Range } from "#storage/store.ts";

/** The longest key in UTF-8 bytes; far above what Kubernetes names need, below what an LMDB page holds. */
export const keyBytesMax = 1024;

/** Refuses keys the contract excludes, in every implementation alike. */
export function checkKey(key: string): void {
  if (key === "") throw new Error("Cannot use an empty key");
  if (key.includes("\0")) throw new Error(`Cannot use key ${JSON.stringify(key)}: it has a NUL`);
  if (key.length * 3 > keyBytesMax && byteLength(key) > keyBytesMax) {
    throw new Error(`Cannot use key "${key.slice(0, 60)}…": it is over ${keyBytesMax} bytes long`);
  }
}

export function inRange(range: Range, key: string): boolean {
  return key >= range.start && (range.end === "" || key < range.end);
}

/** Three bytes for each half of a surrogate pair, since that is how keys are stored. */
function byteLength(key: string): number {
  let bytes = 0;
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
  }
  return bytes;
}
