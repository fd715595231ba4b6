import type { Container, Pod } from "#api/generated/types.ts";
import { parseQuantity, quantityMilliValue, quantityValue } from "#api/quantity.ts";

/** Amounts of resources as plain numbers, parsed once. */
export interface Amounts {
  milliCpu: number;
  memoryBytes: number;
  ephemeralBytes: number;
  /** Extended resources and huge pages by name, in whole units. */
  readonly others: Map<string, number>;
}

type Quantities = Readonly<Record<string, string>>;

export function noAmounts(): Amounts {
  return { milliCpu: 0, memoryBytes: 0, ephemeralBytes: 0, others: new Map() };
}

export function amountsOf(quantities: Quantities | undefined): Amounts {
  const amounts = noAmounts();
  for (const [name, text] of Object.entries(quantities ?? {})) {
    if (name === "pods") continue;
    if (name === "cpu") amounts.milliCpu = parsed(text).milli;
    else setAmount(amounts, name, parsed(text).whole);
  }
  return amounts;
}

interface Parsed {
  readonly whole: number;
  readonly milli: number;
}

/** The pods of a cluster ask for few different amounts, each of them thousands of times. */
const known = new Map<string, Parsed>();
const knownMax = 1_024;

function parsed(text: string): Parsed {
  const before = known.get(text);
  if (before !== undefined) return before;
  const quantity = parseQuantity(text);
  const amount = {
    whole: Number(quantityValue(quantity)),
    milli: Number(quantityMilliValue(quantity)),
  };
  if (known.size >= knownMax) known.clear();
  known.set(text, amount);
  return amount;
}

/** Adds `by` times `other` in place. */
export function addAmounts(amounts: Amounts, other: Amounts, by: 1 | -1 = 1): void {
  amounts.milliCpu += by * other.milliCpu;
  amounts.memoryBytes += by * other.memoryBytes;
  amounts.ephemeralBytes += by * other.ephemeralBytes;
  for (const [name, amount] of other.others) {
    amounts.others.set(name, (amounts.others.get(name) ?? 0) + by * amount);
  }
}

/** What a pod without requests counts for when nodes are compared, so that such pods spread too; upstream's numbers. */
const assumedMilliCpu = 100;
const assumedMemoryBytes = 200 * 1024 * 1024;

/** What a pod asks for, and what it counts for in scores. */
export interface PodAmounts {
  readonly requests: Amounts;
  readonly scored: { readonly milliCpu: number; readonly memoryBytes: number };
}

/**
 * A pod's requests as upstream sums them: all containers and sidecars together, or what the start needs at its peak
 * (each init container beside the sidecars before it), whichever is more, and the overhead. Requests of the pod as a
 * whole (`spec.resources`) count instead where they are given.
 */
export function podAmounts(pod: Pod): PodAmounts {
  const requests = sumOver(pod, (container) => amountsOf(container.resources?.requests));
  const scored = sumOver(pod, scoredAmounts);
  const whole = pod.spec?.resources?.requests;
  if (whole) {
    override(requests, whole);
    override(scored, whole);
  }
  const overhead = amountsOf(pod.spec?.overhead);
  addAmounts(requests, overhead);
  addAmounts(scored, overhead);
  return { requests, scored };
}

function sumOver(pod: Pod, of: (container: Container) => Amounts): Amounts {
  const total = noAmounts();
  for (const container of pod.spec?.containers ?? []) addAmounts(total, of(container));
  const sidecars = noAmounts();
  const peak = noAmounts();
  for (const container of pod.spec?.initContainers ?? []) {
    const amounts = of(container);
    if (container.restartPolicy === "Always") {
      addAmounts(total, amounts);
      addAmounts(sidecars, amounts);
      raise(peak, sidecars);
    } else {
      addAmounts(amounts, sidecars);
      raise(peak, amounts);
    }
  }
  raise(total, peak);
  return total;
}

function scoredAmounts(container: Container): Amounts {
  const amounts = amountsOf(container.resources?.requests);
  if (container.resources?.requests?.["cpu"] === undefined) amounts.milliCpu = assumedMilliCpu;
  if (container.resources?.requests?.["memory"] === undefined) {
    amounts.memoryBytes = assumedMemoryBytes;
  }
  return amounts;
}

function override(amounts: Amounts, quantities: Quantities): void {
  const whole = amountsOf(quantities);
  if (quantities["cpu"] !== undefined) amounts.milliCpu = whole.milliCpu;
  if (quantities["memory"] !== undefined) amounts.memoryBytes = whole.memoryBytes;
  for (const [name, amount] of whole.others) amounts.others.set(name, amount);
}

function raise(amounts: Amounts, other: Amounts): void {
  amounts.milliCpu = Math.max(amounts.milliCpu, other.milliCpu);
  amounts.memoryBytes = Math.max(amounts.memoryBytes, other.memoryBytes);
  amounts.ephemeralBytes = Math.max(amounts.ephemeralBytes, other.ephemeralBytes);
  for (const [name, amount] of other.others) {
    amounts.others.set(name, Math.max(amounts.others.get(name) ?? 0, amount));
  }
}

function setAmount(amounts: Amounts, name: string, amount: number): void {
  if (name === "memory") amounts.memoryBytes = amount;
  else if (name === "ephemeral-storage") amounts.ephemeralBytes = amount;
  else amounts.others.set(name, amount);
}
