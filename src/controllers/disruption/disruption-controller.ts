import type {
  OwnerReference,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
} from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import {
  deployments,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  statefulSets,
} from "#api/resources.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import {
  needsScale,
  planBudget,
  planFailedBudget,
} from "#controllers/disruption/plan-disruption.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { readScale } from "#controllers/horizontal-pod-autoscaler/target-scale.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import { controllerRefOf } from "#reconcile/owners.ts";

/** Says in each PodDisruptionBudget how many of its pods may be evicted now. */
export function createDisruptionController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const budgets = informers.of(podDisruptionBudgets);
  const podInformer = informers.of(pods);
  const scaled = {
    Deployment: informers.of(deployments),
    ReplicaSet: informers.of(replicaSets),
    ReplicationController: informers.of(replicationControllers),
    StatefulSet: informers.of(statefulSets),
  };
  const recorder = kit.recorder("controllermanager");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const budget = budgets.get(parseKey(key));
    if (budget === undefined) return;
    const matcher = labelSelectorMatcher(budget.spec?.selector);
    const matching = [...podInformer.list(namespaceOf(budget))].filter((pod) =>
      matcher.matches(pod.metadata.labels),
    );
    run.rest(matching.length);
    if (matching.length === 0) {
      recorder.record(budget, {
        type: "Normal",
        reason: "NoPods",
        message: "No matching pods found",
      });
    }
    const scale = needsScale(budget) ? await scaleOf(budget, matching, run.signal) : 0;
    const nowMs = clock.now();
    if (typeof scale === "string") {
      recorder.record(budget, {
        type: "Warning",
        reason: "CalculateExpectedPodCountFailed",
        message: `Failed to calculate the number of expected pods: ${scale}`,
      });
      return writeStatus(budget, planFailedBudget(budget, scale, nowMs), run);
    }
    const plan = planBudget({ budget, pods: matching, scale, nowMs });
    for (const pod of plan.notDeleted) tellNotDeleted(pod, budget);
    await writeStatus(budget, plan.status, run);
    if (plan.againInMs !== undefined) run.requeue(plan.againInMs);
  };

  const writeStatus = async (
    budget: PodDisruptionBudget,
    status: PodDisruptionBudgetStatus,
    { signal }: Run,
  ): Promise<void> => {
    if (sameJson(status, budget.status)) return;
    const options = { subresource: "status", signal };
    await client.update(podDisruptionBudgets, { ...budget, status }, options);
  };

  const tellNotDeleted = (pod: Pod, budget: PodDisruptionBudget): void =>
    recorder.record(pod, {
      type: "Warning",
      reason: "NotDeleted",
      message: `Pod was expected by PDB ${namespaceOf(budget)}/${nameOf(budget)} to be deleted but it wasn't`,
    });

  /** What the controllers of the pods want together; a text when one is not known. */
  const scaleOf = async (
    budget: PodDisruptionBudget,
    matching: readonly Pod[],
    signal: AbortSignal,
  ): Promise<number | string> => {
    const scales = new Map<string, number>();
    let unmanaged = false;
    for (const pod of matching) {
      const reference = controllerRefOf(pod);
      if (reference === undefined) unmanaged = true;
      else if (!scales.has(reference.uid)) {
        const found =
          scaleOfController(namespaceOf(pod), reference) ??
          (await scaleOfAny(namespaceOf(pod), reference, signal));
        if (found === undefined)
          return `found no controllers for pod ${JSON.stringify(nameOf(pod))}`;
        scales.set(found.uid, found.replicas);
        scales.set(reference.uid, scales.get(reference.uid) ?? 0);
      }
    }
    if (unmanaged) tellUnmanaged(budget);
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  };

  /** A ReplicaSet of a Deployment counts as the Deployment: during a rollout both sets have pods. */
  const scaleOfController = (
    namespace: string,
    { kind, name, uid }: { readonly kind: string; readonly name: string; readonly uid: string },
  ): { readonly uid: string; readonly replicas: number } | undefined => {
    const informer = kind in scaled ? scaled[kind as keyof typeof scaled] : undefined;
    const owner = informer?.get({ namespace, name });
    if (owner === undefined || owner.metadata.uid !== uid) return undefined;
    const above = kind === "ReplicaSet" ? controllerRefOf(owner) : undefined;
    if (above?.kind === "Deployment") {
      const found = scaleOfController(namespace, above);
      if (found !== undefined) return found;
    }
    return { uid, replicas: owner.spec?.replicas ?? 1 };
  };

  /** Of a kind of somebody else's: its `scale` says how many it wants. */
  const scaleOfAny = async (
    namespace: string,
    reference: OwnerReference,
    signal: AbortSignal,
  ): Promise<{ readonly uid: string; readonly replicas: number } | undefined> => {
    if (reference.kind in scaled) return undefined;
    try {
      const { replicas } = await readScale(client, { ...reference, namespace }, signal);
      return { uid: reference.uid, replicas };
    } catch (error) {
      signal.throwIfAborted();
      log.debug("a controller's scale cannot be read", { reference: reference.name, error });
      return undefined;
    }
  };

  const tellUnmanaged = (budget: PodDisruptionBudget): void =>
    recorder.record(budget, {
      type: "Warning",
      reason: "UnmanagedPods",
      message:
        `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(budget.spec?.selector)}) were found to be unmanaged. ` +
        "As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. " +
        'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.',
    });

  const budgetsOf = function* (pod: Pod): Generator<string> {
    for (const budget of budgets.list(namespaceOf(pod))) {
      const matcher = labelSelectorMatcher(budget.spec?.selector);
      if (matcher.matches(pod.metadata.labels)) yield keyOf(budget);
    }
  };

  /** A controller that is scaled changes what its budgets expect; which ones these are, its template's labels say. */
  const budgetsOfTemplate = function* (
    namespace: string,
    labels: Readonly<Record<string, string>> | undefined,
  ): Generator<string> {
    for (const budget of budgets.list(namespace)) {
      if (labelSelectorMatcher(budget.spec?.selector).matches(labels)) yield keyOf(budget);
    }
  };

  return createController({
    name: "disruption",
    reads: [
      "poddisruptionbudgets.policy",
      "pods",
      "deployments.apps",
      "replicasets.apps",
      "replicationcontrollers",
      "statefulsets.apps",
    ],
    writes: [{ resource: "poddisruptionbudgets.policy", fields: "status" }],
    sources: [
      keysFrom(budgets, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => keysOfChange(change, budgetsOf)),
      ...Object.values(scaled).map((informer) =>
        keysFrom(informer as typeof scaled.Deployment, ({ object }) =>
          budgetsOfTemplate(namespaceOf(object), object.spec?.template?.metadata?.labels),
        ),
      ),
    ],
    reconcile,
    clock,
    log,
  });
}
