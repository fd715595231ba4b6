import type { Node } from "#api/generated/types.ts";

/** The values that one label has on those nodes that count. */
export class Domains {
  readonly topologyKey: string;
  readonly #counts: (node: Node) => boolean;
  readonly #ofNode = new Map<string, string>();
  /** How many nodes each has. */
  readonly #sizes = new Map<string, number>();
  /** How many counters use this. */
  users = 0;

  constructor(topologyKey: string, counts: (node: Node) => boolean) {
    this.topologyKey = topologyKey;
    this.#counts = counts;
  }

  get size(): number {
    return this.#sizes.size;
  }

  of(nodeName: string): string | undefined {
    return this.#ofNode.get(nodeName);
  }

  join(node: Node): void {
    const value = node.metadata.labels?.[this.topologyKey];
    if (value === undefined || !this.#counts(node)) return;
    this.#ofNode.set(node.metadata.name ?? "", value);
    this.#sizes.set(value, (this.#sizes.get(value) ?? 0) + 1);
  }

  leave(nodeName: string): void {
    const value = this.#ofNode.get(nodeName);
    if (value === undefined) return;
    this.#ofNode.delete(nodeName);
    const left = (this.#sizes.get(value) ?? 0) - 1;
    if (left > 0) this.#sizes.set(value, left);
    else this.#sizes.delete(value);
  }
}

/** How many pods of some kind each domain has, kept up as they come and go. */
export class DomainCounter {
  readonly domains: Domains;
  total = 0;
  /** Domains without pods are not in it. */
  readonly #counts = new Map<string, number>();
  /** How many domains have so many pods. */
  readonly #domainsWith = new Map<number, number>();
  #least = Number.POSITIVE_INFINITY;

  constructor(domains: Domains) {
    this.domains = domains;
  }

  /** Undefined for a node that is in no domain that counts. */
  at(nodeName: string): number | undefined {
    const value = this.domains.of(nodeName);
    return value === undefined ? undefined : (this.#counts.get(value) ?? 0);
  }

  ofValue(value: string): number {
    return this.#counts.get(value) ?? 0;
  }

  /** The number of the domain that has the fewest; infinite without domains. */
  get least(): number {
    if (this.domains.size === 0) return Number.POSITIVE_INFINITY;
    return this.#counts.size < this.domains.size ? 0 : this.#least;
  }

  add(nodeName: string, by: number): void {
    const value = this.domains.of(nodeName);
    if (value === undefined) return;
    const before = this.#counts.get(value) ?? 0;
    const after = before + by;
    this.total += by;
    if (after === 0) this.#counts.delete(value);
    else this.#counts.set(value, after);
    this.#tally(before, -1);
    this.#tally(after, 1);
    this.#raiseLeast();
  }

  #tally(count: number, by: 1 | -1): void {
    if (count === 0) return;
    const domains = (this.#domainsWith.get(count) ?? 0) + by;
    if (domains === 0) this.#domainsWith.delete(count);
    else this.#domainsWith.set(count, domains);
    if (by === 1) this.#least = Math.min(this.#least, count);
  }

  #raiseLeast(): void {
    if (this.#counts.size === 0) this.#least = Number.POSITIVE_INFINITY;
    else while (!this.#domainsWith.has(this.#least)) this.#least++;
  }
}
