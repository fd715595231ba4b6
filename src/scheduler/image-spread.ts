type Images = ReadonlyMap<string, unknown>;

/** How many nodes have each image, by every name it has there. */
export class ImageSpread {
  readonly #counts = new Map<string, number>();

  nodesWith(image: string): number {
    return this.#counts.get(image) ?? 0;
  }

  /** To be told of what a node had before and what it has now. */
  replace(before: Images, after: Images): void {
    if (before === after) return;
    for (const image of before.keys()) this.#add(image, -1);
    for (const image of after.keys()) this.#add(image, 1);
  }

  #add(image: string, by: 1 | -1): void {
    const count = this.nodesWith(image) + by;
    if (count === 0) this.#counts.delete(image);
    else this.#counts.set(image, count);
  }
}

export const noImages: Images = new Map();
