import type { Namespace, NamespaceCondition } from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";

/** What is left in a namespace after a pass of deleting. */
export interface Remaining {
  readonly resources: readonly RemainingResource[];
  /** What could not be deleted or listed. */
  readonly failures: readonly string[];
  /** Why the resources could not be discovered. */
  readonly discoveryFailure?: string;
}

export interface RemainingResource {
  /** `pods.` or `deployments.apps`, as upstream prints it. */
  readonly name: string;
  readonly count: number;
  /** Finalizer → objects that wait for it. */
  readonly finalizers: ReadonlyMap<string, number>;
}

export function isEmpty({ resources, failures, discoveryFailure }: Remaining): boolean {
  return resources.length === 0 && failures.length === 0 && discoveryFailure === undefined;
}

/** The conditions of a namespace being deleted; upstream's types, reasons and texts. */
export function namespaceConditions(
  namespace: Namespace,
  remaining: Remaining,
  nowMs: number,
): readonly NamespaceCondition[] {
  const known = namespace.status?.conditions ?? [];
  return outcomes(remaining).map((outcome) => {
    const before = known.find((condition) => condition.type === outcome.type);
    const kept = before?.status === outcome.status ? before.lastTransitionTime : undefined;
    return { ...outcome, lastTransitionTime: kept ?? rfc3339(nowMs) };
  });
}

type Outcome = Pick<NamespaceCondition, "type" | "status" | "reason" | "message">;

function outcomes({ resources, failures, discoveryFailure }: Remaining): readonly Outcome[] {
  return [
    outcome("NamespaceDeletionDiscoveryFailure", {
      problem: discoveryFailure && ["DiscoveryFailed", discoveryFailure],
      fine: ["ResourcesDiscovered", "All resources successfully discovered"],
    }),
    outcome("NamespaceDeletionGroupVersionParsingFailure", {
      problem: undefined,
      fine: ["ParsedGroupVersions", "All legacy kube types successfully parsed"],
    }),
    outcome("NamespaceDeletionContentFailure", {
      problem: failures.length > 0 && ["ContentDeletionFailed", deletionFailure(failures)],
      fine: ["ContentDeleted", "All content successfully deleted, may be waiting on finalization"],
    }),
    outcome("NamespaceContentRemaining", {
      problem: resources.length > 0 && ["SomeResourcesRemain", contentRemaining(resources)],
      fine: ["ContentRemoved", "All content successfully removed"],
    }),
    outcome("NamespaceFinalizersRemaining", {
      problem: finalizersRemaining(resources),
      fine: ["ContentHasNoFinalizers", "All content-preserving finalizers finished"],
    }),
  ];
}

type Text = readonly [reason: string, message: string];

function outcome(
  type: string,
  { problem, fine }: { readonly problem: Text | "" | false | undefined; readonly fine: Text },
): Outcome {
  const [reason, message] = problem || fine;
  return { type, status: problem ? "True" : "False", reason, message };
}

function deletionFailure(failures: readonly string[]): string {
  const list = failures.length === 1 ? failures[0] : `[${failures.join(", ")}]`;
  return `Failed to delete all resource types, ${failures.length} remaining: ${list}`;
}

function contentRemaining(resources: readonly RemainingResource[]): string {
  const parts = resources
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, count }) => `${name} has ${count} resource instances`);
  return `Some resources are remaining: ${parts.join(", ")}`;
}

function finalizersRemaining(resources: readonly RemainingResource[]): Text | undefined {
  const counts = new Map<string, number>();
  for (const { finalizers } of resources) {
    for (const [name, count] of finalizers) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  if (counts.size === 0) return undefined;
  const parts = [...counts]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, count]) => `${name} in ${count} resource instances`);
  const message = `Some content in the namespace has finalizers remaining: ${parts.join(", ")}`;
  return ["SomeFinalizersRemain", message];
}
