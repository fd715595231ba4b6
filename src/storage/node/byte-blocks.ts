/**
 * Copies of bytes, many in one piece of memory: a piece for each costs more than the copying. A block stays in memory
 * as long as one copy in it does.
 */
export class ByteBlocks {
  #block = new Uint8Array();
  #used = 0;

  keep(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > ownFromBytes) return new Uint8Array(bytes);
    if (this.#used + length > this.#block.length) {
      this.#block = new Uint8Array(blockBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    this.#block.set(bytes, start);
    return this.#block.subarray(start, this.#used);
  }
}

const blockBytes = 64 * 1024;
/** Longer ones have memory of their own, so that blocks are well filled. */
const ownFromBytes = 16 * 1024;
