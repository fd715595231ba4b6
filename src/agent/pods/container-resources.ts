import type { Container, Pod } from "#api/generated/types.ts";
import { parseQuantity, quantityMilliValue, quantityValue } from "#api/quantity.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";
import type { Resources } from "#agent/runtime/container-runtime.ts";

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
  const { limits = {}, requests = {} } = container.resources ?? {};
  const cpu = milli(requests["cpu"] ?? limits["cpu"]);
  const cpuLimit = milli(limits["cpu"]);
  const memoryLimit = limits["memory"];
  return {
    cpuShares: Math.min(sharesMax, Math.max(sharesMin, Math.floor((cpu * sharesPerCpu) / 1000))),
    ...(cpuLimit > 0 && {
      cpuPeriodUs: periodUs,
      cpuQuotaUs: Math.max(quotaMinUs, Math.floor((cpuLimit * periodUs) / 1000)),
    }),
    ...(memoryLimit !== undefined && {
      memoryLimitBytes: Number(quantityValue(parseQuantity(memoryLimit))),
    }),
    ...hugePages(limits),
    oomScoreAdj: oomScore(pod, container, memoryBytes),
  };
}

/** A container that asks for none of a size may use none. */
function hugePages(limits: Readonly<Record<string, string>>): Pick<Resources, "hugePageLimits"> {
  const asked = Object.entries(limits).filter(([name]) => name.startsWith("hugepages-"));
  if (asked.length === 0) return {};
  const sizes = asked.map(([name, amount]) => [
    `${name.slice("hugepages-".length).replace("i", "")}B`,
    Number(quantityValue(parseQuantity(amount))),
  ]);
  return { hugePageLimits: Object.fromEntries(sizes) as Record<string, number> };
}

function oomScore(pod: Pod, container: Container, memoryBytes: number): number {
  const qos = qosClassOf(pod);
  if (qos === "Guaranteed") return guaranteedScore;
  if (qos === "BestEffort") return bestEffortScore;
  const request = container.resources?.requests?.["memory"] ?? "0";
  const share = (1000 * Number(quantityValue(parseQuantity(request)))) / memoryBytes;
  const score = Math.floor(1000 - share);
  return Math.min(bestEffortScore - 1, Math.max(1000 + guaranteedScore, score));
}

function milli(quantity: string | undefined): number {
  return quantity === undefined ? 0 : Number(quantityMilliValue(parseQuantity(quantity)));
}
