import type { Container, ContainerStatus, Pod } from "#api/generated/types.ts";
import { addAmounts, largerOf, onlyNamed, readAmounts, type Amounts } from "#api/quota/amounts.ts";

/** What a pod takes as a whole; after component-helpers' `PodRequests` and `PodLimits`. */
export type Side = "requests" | "limits";

export interface CountedBy {
  /** Whether the overhead of the runtime class counts. */
  readonly overhead: boolean;
  /** Whether what the node still gives to a pod that is being resized counts: what runs for long, not the whole. */
  readonly status: boolean;
  /** The resources for which an amount of the whole pod stands in for those of its containers. */
  readonly podLevel: (name: string) => boolean;
}

/** The resources that a pod as a whole can request and be limited to. */
export function isPodLevelResource(name: string): boolean {
  return name === "cpu" || name === "memory" || name.startsWith("hugepages-");
}

export function podAmounts(pod: Pod, side: Side, counted: CountedBy): Amounts {
  const { spec } = pod;
  const of = (container: Container, isRestarted = true): Amounts => {
    const own = readAmounts(container.resources?.[side]);
    if (!counted.status || !isRestarted) return own;
    return withGiven(pod, container.name, { own, side });
  };
  let sum: Amounts = new Map();
  for (const container of spec?.containers ?? []) sum = addAmounts(sum, of(container));
  sum = withInit(sum, spec?.initContainers ?? [], of);
  const level = onlyNamed(readAmounts(spec?.resources?.[side]), counted.podLevel);
  if (level.size > 0) sum = new Map([...sum, ...level]);
  if (!counted.overhead) return sum;
  const overhead = readAmounts(spec?.overhead);
  const counting = onlyNamed(
    overhead,
    (name) => side === "requests" || (sum.get(name)?.nano ?? 0n) !== 0n,
  );
  return addAmounts(sum, counting);
}

/** Init containers run one after the other beside the sidecars that were started before them. */
function withInit(
  containers: Amounts,
  init: readonly Container[],
  of: (container: Container, isRestarted: boolean) => Amounts,
): Amounts {
  let sum = containers;
  let sidecars: Amounts = new Map();
  let peak: Amounts = new Map();
  for (const container of init) {
    const own = of(container, container.restartPolicy === "Always");
    if (container.restartPolicy === "Always") {
      sum = addAmounts(sum, own);
      sidecars = addAmounts(sidecars, own);
      peak = largerOf(peak, sidecars);
    } else peak = largerOf(peak, addAmounts(own, sidecars));
  }
  return largerOf(sum, peak);
}

interface Own {
  readonly own: Amounts;
  readonly side: Side;
}

/** While a resize is under way the larger of old and new counts; one that cannot be done does not count. */
function withGiven(pod: Pod, name: string, { own, side }: Own): Amounts {
  const status = statusOf(pod, name);
  if (status?.resources === undefined) return own;
  let given: Amounts = readAmounts(status.resources[side]);
  if (side === "requests") given = largerOf(given, readAmounts(status.allocatedResources));
  const infeasible = pod.status?.conditions?.some(
    ({ type, reason }) => type === "PodResizePending" && reason === "Infeasible",
  );
  return infeasible ? given : largerOf(own, given);
}

function statusOf({ status }: Pod, name: string): ContainerStatus | undefined {
  const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return all.find((container) => container.name === name);
}
