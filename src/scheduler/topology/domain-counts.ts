import type { Node } from "#api/generated/types.ts";
import type { Labels } from "#api/selector/label-requirement.ts";
import {
  termsOfShape,
  type AffinityTerm,
  type ShapeTerms,
} from "#scheduler/topology/affinity-terms.ts";
import { DomainCounter, Domains } from "#scheduler/topology/domains.ts";
import type { PodShape } from "#scheduler/topology/pod-shape.ts";

/** What to count, and where. */
export interface CountQuery {
  /** Equal for queries that count the same pods. */
  readonly key: string;
  readonly topologyKey: string;
  readonly matches: (pod: PodShape) => boolean;
  readonly readsNamespaces?: boolean;
  /** Default: every node that has the label counts. */
  readonly nodes?: { readonly key: string; readonly counts: (node: Node) => boolean };
}

/** A term that pods on nodes have, with how many have it in each domain. */
export interface OwnedTerm {
  readonly kind: "affinity" | "antiAffinity" | "preferred";
  readonly weight: number;
  readonly term: AffinityTerm;
  readonly counter: DomainCounter;
}

interface KnownShape {
  readonly shape: PodShape;
  readonly terms: ShapeTerms;
  /** How many such pods each node has. */
  readonly nodes: Map<string, number>;
  /** Those in which such a pod counts. */
  readonly counters: Set<DomainCounter>;
  readonly owned: readonly string[];
}

interface Counted {
  readonly query: CountQuery;
  readonly counter: DomainCounter;
}

/** Counters kept at most; the one not asked for longest goes first, and is counted anew if it is asked for again. */
const countersMax = 1_000;

/**
 * Counts pods by topology domain for affinity and spreading. What was asked once is kept up from then on, so that the
 * cost of placing a pod does not grow with the number of pods: a new counter looks once at every kind of pod, and a pod
 * that comes or goes changes the few counters that its kind counts in.
 */
export class DomainCounts {
  readonly #nodes = new Map<string, Node>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #shapes = new Map<string, KnownShape>();
  readonly #domains = new Map<string, Domains>();
  readonly #counted = new Map<string, Counted>();
  readonly #owned = new Map<string, OwnedTerm & { shapes: number }>();

  /** The terms of pods that are on nodes. */
  get owned(): Iterable<OwnedTerm> {
    return this.#owned.values();
  }

  termsOf(shape: PodShape): ShapeTerms {
    return this.#shapes.get(shape.key)?.terms ?? this.#parse(shape);
  }

  counter(query: CountQuery): DomainCounter {
    const key = `${query.topologyKey} ${query.nodes?.key ?? ""} ${query.key}`;
    const known = this.#counted.get(key) ?? this.#count(query);
    // Moved to the end: what was asked for last.
    this.#counted.delete(key);
    this.#counted.set(key, known);
    if (this.#counted.size > countersMax) this.#forgetOldest();
    return known.counter;
  }

  addPod(shape: PodShape, nodeName: string): void {
    const known = this.#shapes.get(shape.key) ?? this.#learn(shape);
    known.nodes.set(nodeName, (known.nodes.get(nodeName) ?? 0) + 1);
    for (const counter of known.counters) counter.add(nodeName, 1);
  }

  removePod(shape: PodShape, nodeName: string): void {
    const known = this.#shapes.get(shape.key);
    const count = known?.nodes.get(nodeName);
    if (known === undefined || count === undefined) return;
    for (const counter of known.counters) counter.add(nodeName, -1);
    if (count > 1) return void known.nodes.set(nodeName, count - 1);
    known.nodes.delete(nodeName);
    if (known.nodes.size === 0) this.#forget(known);
  }

  /** A node that is new, or whose labels or taints changed. */
  putNode(node: Node): void {
    const name = node.metadata.name ?? "";
    const moved = [...this.#shapes.values()].filter(({ nodes }) => nodes.has(name));
    this.#shift(moved, name, -1);
    for (const domains of this.#domains.values()) {
      domains.leave(name);
      domains.join(node);
    }
    this.#nodes.set(name, node);
    this.#shift(moved, name, 1);
  }

  /** Its pods must have been removed. */
  removeNode(name: string): void {
    for (const domains of this.#domains.values()) domains.leave(name);
    this.#nodes.delete(name);
  }

  /** True when something may match that did not, or the other way round. */
  putNamespace(name: string, labels: Labels | undefined): boolean {
    const before = this.#namespaces.get(name);
    if (JSON.stringify(before) === JSON.stringify(labels)) return false;
    if (labels) this.#namespaces.set(name, labels);
    else this.#namespaces.delete(name);
    for (const [key, counted] of this.#counted) {
      if (counted.query.readsNamespaces) this.#drop(key, counted);
    }
    return true;
  }

  #shift(shapes: readonly KnownShape[], nodeName: string, sign: 1 | -1): void {
    for (const { nodes, counters } of shapes) {
      const count = nodes.get(nodeName) ?? 0;
      for (const counter of counters) counter.add(nodeName, sign * count);
    }
  }

  #count(query: CountQuery): Counted {
    const counter = new DomainCounter(this.#domainsFor(query));
    for (const { shape, nodes, counters } of this.#shapes.values()) {
      if (!query.matches(shape)) continue;
      counters.add(counter);
      for (const [nodeName, count] of nodes) counter.add(nodeName, count);
    }
    return { query, counter };
  }

  #domainsFor({ topologyKey, nodes }: Pick<CountQuery, "topologyKey" | "nodes">): Domains {
    const key = `${topologyKey} ${nodes?.key ?? ""}`;
    let domains = this.#domains.get(key);
    if (domains === undefined) {
      domains = new Domains(topologyKey, nodes?.counts ?? (() => true));
      for (const node of this.#nodes.values()) domains.join(node);
      this.#domains.set(key, domains);
    }
    domains.users++;
    return domains;
  }

  #learn(shape: PodShape): KnownShape {
    const terms = this.#parse(shape);
    const counters = new Set<DomainCounter>();
    for (const { query, counter } of this.#counted.values()) {
      if (query.matches(shape)) counters.add(counter);
    }
    const owned = [...ownTerms(terms)].map((own) => this.#own(own, counters));
    const known = { shape, terms, nodes: new Map<string, number>(), counters, owned };
    this.#shapes.set(shape.key, known);
    return known;
  }

  #own(own: Omit<OwnedTerm, "counter">, counters: Set<DomainCounter>): string {
    const { kind, weight, term } = own;
    const key = `${kind} ${weight} ${term.key}`;
    let known = this.#owned.get(key);
    if (known === undefined) {
      const counter = new DomainCounter(this.#domainsFor({ topologyKey: term.topologyKey }));
      known = { ...own, counter, shapes: 0 };
      this.#owned.set(key, known);
    }
    known.shapes++;
    counters.add(known.counter);
    return key;
  }

  #forget({ shape, owned }: KnownShape): void {
    this.#shapes.delete(shape.key);
    for (const key of owned) {
      const known = this.#owned.get(key);
      if (known === undefined || --known.shapes > 0) continue;
      this.#owned.delete(key);
      this.#release(known.counter.domains);
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#counted;
    if (oldest) this.#drop(...oldest);
  }

  #drop(key: string, { counter }: Counted): void {
    this.#counted.delete(key);
    for (const { counters } of this.#shapes.values()) counters.delete(counter);
    this.#release(counter.domains);
  }

  #release(domains: Domains): void {
    if (--domains.users > 0) return;
    for (const [key, known] of this.#domains) if (known === domains) this.#domains.delete(key);
  }

  #parse(shape: PodShape): ShapeTerms {
    if (shape.affinity === undefined) return noTerms;
    return termsOfShape(shape, (name) => this.#namespaces.get(name));
  }
}

const noTerms: ShapeTerms = { affinity: [], antiAffinity: [], preferred: [] };

/** A pod that must be near others draws such others to it, with this weight. */
const requiredAffinityWeight = 1;

function* ownTerms(terms: ShapeTerms): Generator<Omit<OwnedTerm, "counter">> {
  for (const term of terms.affinity) {
    yield { kind: "affinity", weight: requiredAffinityWeight, term };
  }
  for (const term of terms.antiAffinity) yield { kind: "antiAffinity", weight: 0, term };
  for (const { term, weight } of terms.preferred) yield { kind: "preferred", weight, term };
}
