import type { Pod, PodCondition, ResourceRequirements } from "#api/generated/types.ts";
import { type Amounts, readAmounts, writeAmounts } from "#api/quota/amounts.ts";
import { subtractQuantities } from "#api/quantity.ts";
import type { ResizeState } from "#agent/pods/pod-observation.ts";

// What the status of a pod tells of its resources: an agent that begins anew goes on from there.

/** What the node says to resources that a pod is to have from now on. */
export type ResizeAnswer =
  | { readonly kind: "fits" }
  | {
      readonly kind: "refused";
      readonly reason: "Deferred" | "Infeasible";
      readonly message: string;
    };

/** How far a change had got, and what the pod's control group was held to. */
export function toldConditions({ status }: Pod): Omit<ResizeState, "actual"> {
  const find = (type: string): PodCondition | undefined =>
    status?.conditions?.find((condition) => condition.type === type);
  const [pending, inProgress] = [find("PodResizePending"), find("PodResizeInProgress")];
  return {
    ...(pending && {
      pending: {
        reason: pending.reason ?? "",
        message: pending.message ?? "",
        observedGeneration: pending.observedGeneration ?? 0,
        sinceMs: Date.parse(pending.lastTransitionTime ?? "") || 0,
      },
    }),
    ...(inProgress && {
      inProgress: {
        ...(inProgress.reason && { reason: inProgress.reason }),
        ...(inProgress.message && { message: inProgress.message }),
        observedGeneration: inProgress.observedGeneration ?? 0,
      },
    }),
    ...(status?.phase === "Running" &&
      status.resources && { held: onlyMeasured(status.resources) }),
  };
}

/** What a running pod as a whole was granted, without its overhead; undefined where nothing is told or asked. */
export function toldWhole({ spec, status }: Pod): ResourceRequirements | undefined {
  const { resources, overhead } = spec ?? {};
  if (resources === undefined || status?.phase !== "Running") return undefined;
  if (status.resources === undefined || status.allocatedResources === undefined) return undefined;
  const granted = (told: unknown, wanted: Readonly<Record<string, string>> = {}) => {
    const own = readAmounts(told);
    const measured = Object.keys(wanted).filter((name) => isMeasured(name) && own.has(name));
    const amounts = measured.map((name) => [name, without(own, readAmounts(overhead), name)]);
    const others = Object.entries(wanted).filter(([name]) => !isMeasured(name));
    const written = writeAmounts(new Map(amounts as never)) as Record<string, string>;
    return { ...Object.fromEntries(others), ...written };
  };
  return {
    requests: granted(status.allocatedResources, resources.requests),
    limits: granted(status.resources.limits, resources.limits),
  };
}

function without(amounts: Amounts, overhead: Amounts, name: string): unknown {
  const [own, more] = [amounts.get(name), overhead.get(name)];
  return own && more ? subtractQuantities(own, more) : own;
}

function onlyMeasured({ limits, requests }: ResourceRequirements): ResourceRequirements {
  const of = (amounts: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(amounts).filter(([name]) => isMeasured(name)));
  return { limits: of(limits), requests: of(requests) };
}

function isMeasured(name: string): boolean {
  return name === "cpu" || name === "memory";
}
