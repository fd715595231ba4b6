import type { Pod, ResourceRequirements } from "#api/generated/types.ts";
import { writeAmounts } from "#api/quota/amounts.ts";
import { isPodLevelResource, podAmounts, type Side } from "#api/quota/pod-amounts.ts";
import { isLimited } from "#agent/pods/pod-amounts.ts";

type Amounts = Readonly<Record<string, string>>;

/** What a pod takes of the node as a whole, its overhead included: `status.allocatedResources`. */
export function wholeRequests(pod: Pod): Amounts {
  return amountsOf(pod, "requests");
}

/**
 * What a pod as a whole has, as `status.resources` tells it: of processors and memory what its control group holds it
 * to, of the rest what is asked for the whole; before it runs, all that it is going to have.
 */
export function wholeResources(pod: Pod, held = heldResources(pod)): ResourceRequirements {
  const isRunning = pod.status?.phase === "Running";
  return bothSides((side) => {
    const all = amountsOf(pod, side);
    const own = pod.spec?.resources?.[side] ?? {};
    if (!isRunning) return all;
    return { ...only(all, (name) => !isMeasured(name) && name in own), ...held[side] };
  });
}

/** Processors and memory that a pod's control group is to be held to. */
export function heldResources(pod: Pod): ResourceRequirements {
  return bothSides((side) =>
    only(
      amountsOf(pod, side),
      (name) => isMeasured(name) && (side === "requests" || isLimited(pod, name)),
    ),
  );
}

/** Sides without amounts are left out. */
function bothSides(of: (side: Side) => Amounts): ResourceRequirements {
  const [limits, requests] = [of("limits"), of("requests")];
  return {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(requests).length > 0 && { requests }),
  };
}

function amountsOf(pod: Pod, side: Side): Amounts {
  return writeAmounts(podAmounts(pod, side, counted)) as Amounts;
}

const counted = { overhead: true, status: false, podLevel: isPodLevelResource };

function only(amounts: Amounts, has: (name: string) => boolean): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => has(name)));
}

function isMeasured(name: string): boolean {
  return name === "cpu" || name === "memory";
}
