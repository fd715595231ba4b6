/** Keys in UTF-16 code unit order: sorted chunks, so that an insertion moves a chunk's keys and not all of them. */
export class SortedKeys {
  readonly #chunks: string[][] = [];

  /** Adds a key that is not there yet. */
  add(key: string): void {
    const index = Math.max(0, this.#chunkOf(key));
    const chunk = this.#chunks[index];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > chunkMax) this.#chunks.splice(index + 1, 0, chunk.splice(chunkMax / 2));
  }

  remove(key: string): void {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return;
    const at = lowerBound(chunk, key);
    if (chunk[at] !== key) return;
    chunk.splice(at, 1);
    if (chunk.length === 0) this.#chunks.splice(index, 1);
  }

  /** The keys from `start` on, in order. The keys must not change during the walk. */
  *from(start: string): Generator<string> {
    const first = Math.max(0, this.#chunkOf(start));
    for (let index = first; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] ?? [];
      const begin = index === first ? lowerBound(chunk, start) : 0;
      for (let at = begin; at < chunk.length; at++) yield chunk[at] ?? "";
    }
  }

  /** The last chunk that begins at or before `key`; -1 when there is none. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.[0] ?? "") <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

const chunkMax = 512;

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
