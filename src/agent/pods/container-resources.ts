import type { Container, Pod } from "#api/generated/types.ts";
import { parseQuantity, quantityMilliValue, quantityValue } from "#api/quantity.ts";
import { readAmounts } from "#api/quota/amounts.ts";
import { podAmounts } from "#api/quota/pod-amounts.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";
import type { Resources } from "#agent/runtime/container-runtime.ts";

type Amounts = Readonly<Record<string, string>>;

const periodUs = 100_000;
const quotaMinUs = 1000;
const sharesPerCpu = 1024;
const sharesMin = 2;
const sharesMax = 262_144;
/** Scores of the out-of-memory killer, as upstream sets them. */
const guaranteedScore = -997;
const bestEffortScore = 1000;

/** Requests and limits as control groups count them. `memoryBytes` is the node's. */
export function containerResources(pod: Pod, container: Container, memoryBytes: number): Resources {
  const { requests = {} } = container.resources ?? {};
  const limits = containerLimits(pod, container);
  const cpuLimit = milli(limits["cpu"]);
  const cpu = requests["cpu"] === undefined ? cpuLimit : milli(requests["cpu"]);
  const memoryLimitBytes = bytes(limits["memory"]);
  return {
    cpuShares: Math.min(sharesMax, Math.max(sharesMin, Math.floor((cpu * sharesPerCpu) / 1000))),
    ...(cpuLimit > 0 && {
      cpuPeriodUs: periodUs,
      cpuQuotaUs: Math.max(quotaMinUs, Math.floor((cpuLimit * periodUs) / 1000)),
    }),
    ...(memoryLimitBytes > 0 && { memoryLimitBytes }),
    ...hugePages(limits),
    oomScoreAdj: oomScore(pod, container, memoryBytes),
  };
}

/** A container's own limits, and the whole pod's where it has none of its own. */
export function containerLimits({ spec }: Pod, { resources }: Container): Amounts {
  const limits: Record<string, string> = { ...resources?.limits };
  for (const [name, amount] of Object.entries(spec?.resources?.limits ?? {})) {
    if (parseQuantity(limits[name] ?? "0").nano === 0n) limits[name] = amount;
  }
  return limits;
}

/** A container that asks for none of a size may use none. */
function hugePages(limits: Amounts): Pick<Resources, "hugePageLimits"> {
  const asked = Object.entries(limits).filter(([name]) => name.startsWith("hugepages-"));
  if (asked.length === 0) return {};
  const sizes = asked.map(([name, amount]) => [
    `${name.slice("hugepages-".length).replace("i", "")}B`,
    bytes(amount),
  ]);
  return { hugePageLimits: Object.fromEntries(sizes) as Record<string, number> };
}

/** The more of the node's memory a container of a burstable pod requests, the later it is ended. */
function oomScore(pod: Pod, container: Container, memoryBytes: number): number {
  const qos = qosClassOf(pod);
  const isCritical = pod.spec?.priorityClassName === "system-node-critical";
  if (isCritical || qos === "Guaranteed") return guaranteedScore;
  if (qos === "BestEffort") return bestEffortScore;
  const requests = [memoryRequest(container)];
  // What others need is not ended later than those who need it.
  if (isSidecar(pod, container)) {
    requests.push(Math.min(...(pod.spec?.containers ?? []).map(memoryRequest)));
  }
  const request = Math.max(...requests) + unsharedRequest(pod);
  const score = 1000 - Math.trunc((1000 * request) / memoryBytes);
  return Math.min(bestEffortScore - 1, Math.max(1000 + guaranteedScore, score));
}

/** Each container's part of what the whole pod requests beyond its containers. */
function unsharedRequest(pod: Pod): number {
  const { resources, containers = [], initContainers = [] } = pod.spec ?? {};
  const whole = readAmounts(resources?.requests).get("memory");
  if (whole === undefined || whole.nano === 0n) return 0;
  const together = podAmounts(pod, "requests", ofContainers).get("memory");
  const rest = quantityValue(whole) - (together ? quantityValue(together) : 0n);
  return Number(rest / BigInt(containers.length + initContainers.length));
}

const ofContainers = { overhead: false, status: false, podLevel: () => false };

function isSidecar({ spec }: Pod, { name, restartPolicy }: Container): boolean {
  const inits = spec?.initContainers ?? [];
  return restartPolicy === "Always" && inits.some((container) => container.name === name);
}

function memoryRequest({ resources }: Container): number {
  return bytes(resources?.requests?.["memory"]);
}

function milli(quantity: string | undefined): number {
  return quantity === undefined ? 0 : Number(quantityMilliValue(parseQuantity(quantity)));
}

function bytes(quantity: string | undefined): number {
  return quantity === undefined ? 0 : Number(quantityValue(parseQuantity(quantity)));
}
