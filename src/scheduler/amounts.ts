import type { Container, Pod, PodStatus } from "#api/generated/types.ts";
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
 * whole (`spec.resources`) count instead where they are given. While a pod is being resized the larger of what it asks
 * for and what its node has given it counts; what the node cannot give does not.
 */
export function podAmounts(pod: Pod): PodAmounts {
  const overhead = amountsOf(pod.spec?.overhead);
  const requests = sumOver(pod, (container) => requestedBy(pod, container));
  const scored = sumOver(pod, (container) => scoredAmounts(pod, container));
  const whole = pod.spec?.resources?.requests;
  if (whole) {
    const amounts = wholeAmounts(pod, whole, overhead);
    override(requests, whole, amounts);
    override(scored, whole, amounts);
  }
  addAmounts(requests, overhead);
  addAmounts(scored, overhead);
  return { requests, scored };
}

function wholeAmounts({ status }: Pod, whole: Quantities, overhead: Amounts): Amounts {
  const amounts = amountsOf(whole);
  if (status?.resources === undefined) return amounts;
  const given = givenBy(status);
  // The node counts the overhead in.
  addAmounts(given, overhead, -1);
  if (isInfeasible(status)) return given;
  raise(amounts, given);
  return amounts;
}

function requestedBy({ spec, status }: Pod, container: Container): Amounts {
  const own = container.resources?.requests;
  const isInit = spec?.containers.includes(container) === false;
  // What runs once is not shown by what it was given.
  if (isInit && container.restartPolicy !== "Always") return amountsOf(own);
  const statuses = isInit ? status?.initContainerStatuses : status?.containerStatuses;
  const told = statuses?.find(({ name }) => name === container.name);
  if (told?.resources === undefined) return amountsOf(own);
  const amounts = amountsOf(status && isInfeasible(status) ? undefined : own);
  raise(amounts, givenBy(told));
  return amounts;
}

function givenBy({
  resources,
  allocatedResources,
}: Pick<PodStatus, "resources" | "allocatedResources">): Amounts {
  const amounts = amountsOf(resources?.requests);
  raise(amounts, amountsOf(allocatedResources));
  return amounts;
}

function isInfeasible({ conditions = [] }: PodStatus): boolean {
  return conditions.some(
    ({ type, reason }) => type === "PodResizePending" && reason === "Infeasible",
  );
}

/** Whether a pod requests less of something than before. */
export function requestsLess(now: PodAmounts, before: PodAmounts): boolean {
  const [left, right] = [now.requests, before.requests];
  return left.milliCpu < right.milliCpu || left.memoryBytes < right.memoryBytes;
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

function scoredAmounts(pod: Pod, container: Container): Amounts {
  const amounts = requestedBy(pod, container);
  if (container.resources?.requests?.["cpu"] === undefined) amounts.milliCpu = assumedMilliCpu;
  if (container.resources?.requests?.["memory"] === undefined) {
    amounts.memoryBytes = assumedMemoryBytes;
  }
  return amounts;
}

/** Of what is asked for the whole, `whole`; the rest stays. */
function override(amounts: Amounts, asked: Quantities, whole: Amounts): void {
  if (asked["cpu"] !== undefined) amounts.milliCpu = whole.milliCpu;
  if (asked["memory"] !== undefined) amounts.memoryBytes = whole.memoryBytes;
  for (const [name, amount] of whole.others) {
    if (asked[name] !== undefined) amounts.others.set(name, amount);
  }
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
