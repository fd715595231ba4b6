import type { Container, Pod } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { parseQuantity, quantityMilliValue } from "#api/quantity.ts";
import { groupPods, type PodGroups } from "#controllers/horizontal-pod-autoscaler/group-pods.ts";
import type { PodReading } from "#controllers/horizontal-pod-autoscaler/metric-reading.ts";
import { isPodReady } from "#controllers/pods/pod-state.ts";

/** By how much use may miss its target without anything being done. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}

/** What a metric asks for. `usage` in thousandths. */
export interface Proposal {
  readonly replicas: number;
  readonly usage: number;
  /** Percent of what is requested. */
  readonly utilization?: number;
}

export interface PodsAsked {
  readonly pods: readonly Pod[];
  readonly readings: ReadonlyMap<string, PodReading>;
  readonly currentReplicas: number;
  readonly tolerances: Tolerances;
  /** `cpu` is what pods use much of while they start. */
  readonly resource: string;
  readonly nowMs: number;
}

/** Throws an Error with upstream's text when there is nothing to go by. */
export function proposeForUtilization(
  asked: PodsAsked,
  target: { readonly percent: number; readonly container: string },
): Proposal {
  const groups = groupsOf(asked);
  const requests = requestsOf(asked.pods, target.container, asked.resource);
  const { ratio, ...used } = utilizationOf(groups.readings, requests, target.percent);
  const fallback = Math.max(100, target.percent);
  const replicas = settle(asked, groups, {
    ratio,
    ratioOf: (values) => utilizationOf(values, requests, target.percent).ratio,
    missingAtMost: (pod) => Math.trunc(((requests.get(pod) ?? 0) * fallback) / 100),
  });
  return { replicas, ...used };
}

export function proposeForAverage(asked: PodsAsked, target: number): Proposal {
  const groups = groupsOf(asked);
  const { ratio, usage } = averageOf(groups.readings, target);
  const replicas = settle(asked, groups, {
    ratio,
    ratioOf: (values) => averageOf(values, target).ratio,
    missingAtMost: () => target,
  });
  return { replicas, usage };
}

/** For a value that is of no pod: as many times the ready pods as the value is the target. */
export function proposeForValue(
  { pods, currentReplicas, tolerances }: Omit<PodsAsked, "readings" | "resource" | "nowMs">,
  { value, target }: { readonly value: number; readonly target: number },
): Proposal {
  const ratio = value / target;
  if (currentReplicas === 0) return { replicas: Math.ceil(ratio), usage: value };
  if (isWithin(tolerances, ratio)) return { replicas: currentReplicas, usage: value };
  if (pods.length === 0) throw new Error(`unable to calculate ready pods: ${noPods}`);
  const ready = pods.filter((pod) => pod.status?.phase === "Running" && isPodReady(pod)).length;
  return { replicas: Math.min(Math.ceil(ratio * ready), replicasMax), usage: value };
}

/** For a value that is to be shared evenly by the replicas there are. */
export function proposeForShare(
  statusReplicas: number,
  { value, target }: { readonly value: number; readonly target: number },
  tolerances: Tolerances,
): Proposal {
  const within = isWithin(tolerances, value / (target * statusReplicas));
  const replicas = within ? statusReplicas : Math.min(Math.ceil(value / target), replicasMax);
  return { replicas, usage: statusReplicas === 0 ? 0 : Math.ceil(value / statusReplicas) };
}

const replicasMax = 2 ** 31 - 1;
const noPods = "no pods returned by selector while calculating replica count";

function groupsOf({ pods, readings, resource, nowMs }: PodsAsked): PodGroups {
  if (pods.length === 0) throw new Error(noPods);
  const groups = groupPods(pods, readings, { resource, nowMs });
  if (groups.readings.size > 0) return groups;
  throw new Error("did not receive metrics for targeted pods (pods might be unready)");
}

interface Use {
  readonly ratio: number;
  readonly ratioOf: (values: ReadonlyMap<string, { readonly value: number }>) => number;
  /** What a pod of which nothing is known uses at most, as far as a smaller number is concerned. */
  readonly missingAtMost: (pod: string) => number;
}

/** Pods of which nothing is known count against a change; one that would turn round is not made. */
function settle(
  { currentReplicas, tolerances }: PodsAsked,
  { readyCount, unready, missing, readings }: PodGroups,
  { ratio, ratioOf, missingAtMost }: Use,
): number {
  const growsWithUnready = unready.size > 0 && ratio > 1;
  if (!growsWithUnready && missing.size === 0) {
    return isWithin(tolerances, ratio) ? currentReplicas : Math.ceil(ratio * readyCount);
  }
  const values = new Map<string, { readonly value: number }>(readings);
  if (ratio !== 1) {
    for (const pod of missing) values.set(pod, { value: ratio < 1 ? missingAtMost(pod) : 0 });
  }
  if (growsWithUnready) for (const pod of unready) values.set(pod, { value: 0 });
  const cautious = ratioOf(values);
  const turns = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1);
  if (turns || isWithin(tolerances, cautious)) return currentReplicas;
  const replicas = Math.ceil(cautious * values.size);
  const wrongWay =
    (cautious < 1 && replicas > currentReplicas) || (cautious > 1 && replicas < currentReplicas);
  return wrongWay ? currentReplicas : replicas;
}

function isWithin({ up, down }: Tolerances, ratio: number): boolean {
  return 1 - down <= ratio && ratio <= 1 + up;
}

type Values = ReadonlyMap<string, { readonly value: number }>;

function utilizationOf(values: Values, requests: ReadonlyMap<string, number>, percent: number) {
  let used = 0;
  let requested = 0;
  let count = 0;
  for (const [pod, { value }] of values) {
    const request = requests.get(pod);
    if (request === undefined) continue;
    used += value;
    requested += request;
    count++;
  }
  if (requested === 0) throw new Error("no metrics returned matched known pods");
  const utilization = Math.trunc((used * 100) / requested);
  return { ratio: utilization / percent, utilization, usage: Math.trunc(used / count) };
}

function averageOf(values: Values, target: number): { ratio: number; usage: number } {
  let total = 0;
  for (const { value } of values.values()) total += value;
  const usage = Math.trunc(total / values.size);
  return { ratio: usage / target, usage };
}

function requestsOf(
  pods: readonly Pod[],
  container: string,
  resource: string,
): ReadonlyMap<string, number> {
  return new Map(pods.map((pod) => [nameOf(pod), requestOf(pod, container, resource)]));
}

/** Of the container that is named; otherwise the pod's own, or the sum of its containers. */
function requestOf(pod: Pod, container: string, resource: string): number {
  const own = pod.spec?.resources?.requests;
  if (container === "" && own !== undefined && Object.keys(own).length > 0) {
    const request = own[resource];
    if (request !== undefined) return milli(request);
    throw new Error(`missing pod-level request for ${resource} in Pod ${nameOf(pod)}`);
  }
  const containers = longLived(pod).filter(({ name }) => container === "" || name === container);
  if (container !== "" && containers.length === 0) {
    throw new Error(`container ${container} not found in Pod ${nameOf(pod)}`);
  }
  let sum = 0;
  for (const { name, resources } of containers) {
    const request = resources?.requests?.[resource];
    if (request === undefined) {
      const where = `container ${name} of Pod ${nameOf(pod)}`;
      throw new Error(`missing request for ${resource} in ${where}`);
    }
    sum += milli(request);
  }
  return sum;
}

function longLived({ spec }: Pod): readonly Container[] {
  const sidecars = (spec?.initContainers ?? []).filter(
    ({ restartPolicy }) => restartPolicy === "Always",
  );
  return [...(spec?.containers ?? []), ...sidecars];
}

function milli(quantity: string): number {
  return Number(quantityMilliValue(parseQuantity(quantity)));
}
