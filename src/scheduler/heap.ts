/** A binary heap: the first by `before` comes out first. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #before: (one: T, other: T) => boolean;

  constructor(before: (one: T, other: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    let at = this.#items.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(parent, at)) return;
      at = parent;
    }
  }

  pop(): T | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (first === undefined || last === undefined || this.#items.length === 0) return first;
    this.#items[0] = last;
    let at = 0;
    for (;;) {
      const child = this.#firstChild(at);
      if (child === undefined || !this.#swapUnlessOrdered(at, child)) return first;
      at = child;
    }
  }

  #firstChild(at: number): number | undefined {
    const left = at * 2 + 1;
    const [one, other] = [this.#items[left], this.#items[left + 1]];
    if (one === undefined) return undefined;
    return other !== undefined && this.#before(other, one) ? left + 1 : left;
  }

  #swapUnlessOrdered(parent: number, child: number): boolean {
    const [upper, lower] = [this.#items[parent], this.#items[child]];
    if (upper === undefined || lower === undefined || !this.#before(lower, upper)) return false;
    this.#items[parent] = lower;
    this.#items[child] = upper;
    return true;
  }
}
