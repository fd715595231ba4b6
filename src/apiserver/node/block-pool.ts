import { Buffer } from "node:buffer";

/**
 * Blocks of memory that are used again and again: new memory for every long answer would cost page faults and keep
 * the garbage collector busy. What nobody uses is held weakly, so an idle server keeps none.
 */
export class BlockPool {
  readonly #free: WeakRef<Uint8Array>[] = [];

  /** A block with whatever was in it before. */
  take(): Uint8Array {
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) {
      const block = free.deref();
      if (block !== undefined) return block;
    }
    return Buffer.allocUnsafeSlow(blockBytes);
  }

  /** Only for blocks that nothing refers to any more. */
  giveBack(block: Uint8Array): void {
    if (this.#free.length < freeMax) this.#free.push(new WeakRef(block));
  }
}

/** Larger ones would only wait for the client; smaller ones cost turns of the event loop. */
export const blockBytes = 1 << 20;
const freeMax = 16;

/** Cuts what comes in pieces into blocks of `pool`, all full but the last; whoever gets one gives it back. */
export function* inBlocks(
  pieces: Iterable<Uint8Array>,
  pool: BlockPool,
): Generator<{ readonly block: Uint8Array; readonly used: number }> {
  let block = pool.take();
  let used = 0;
  for (const piece of pieces) {
    let from = 0;
    while (piece.length - from > block.length - used) {
      const room = block.length - used;
      block.set(piece.subarray(from, from + room), used);
      from += room;
      yield { block, used: block.length };
      block = pool.take();
      used = 0;
    }
    block.set(from === 0 ? piece : piece.subarray(from), used);
    used += piece.length - from;
  }
  if (used > 0) yield { block, used };
  else pool.giveBack(block);
}
