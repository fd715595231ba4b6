import type { Pod, V2HorizontalPodAutoscaler } from "#api/generated/types.ts";
import { keyOf, namespaceOf, parseKey } from "#api/meta.ts";
import { horizontalPodAutoscalers, pods } from "#api/resources.ts";
import type { LabelMatcher } from "#api/selector/label-requirement.ts";
import { parseLabelSelector } from "#api/selector/parse-label-selector.ts";
import { noHistory, type History } from "#controllers/horizontal-pod-autoscaler/limit-change.ts";
import {
  needsMetrics,
  planAfterRescale,
  planAutoscaler,
  planWithoutScale,
  type AutoscalerPlan,
  type ObservedAutoscaler,
  type SelectorProblem,
} from "#controllers/horizontal-pod-autoscaler/plan-autoscaler.ts";
import { readMetric } from "#controllers/horizontal-pod-autoscaler/read-metrics.ts";
import { readScale, type ReadScale } from "#controllers/horizontal-pod-autoscaler/target-scale.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** How often an autoscaler looks at its metrics. */
const periodMs = 15_000;

/** Scales what has a `scale` as its metrics ask for. */
export function createAutoscalerController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(horizontalPodAutoscalers);
  const podInformer = informers.of(pods);
  const recorder = kit.recorder("horizontal-pod-autoscaler");
  const histories = new Map<string, History>();
  /** What each autoscaler's target selects, as far as it was looked at. */
  const selectors = new Map<string, LabelMatcher>();

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const autoscaler = informer.get(parseKey(key));
    if (autoscaler === undefined) {
      histories.delete(key);
      selectors.delete(key);
      return;
    }
    run.requeue(periodMs);
    const scale = await scaleOf(autoscaler, run.signal);
    if ("problem" in scale) {
      return carryOut(autoscaler, planWithoutScale(autoscaler, scale.problem, clock.now()), run);
    }
    const observed = await observe(key, { autoscaler, scale, signal: run.signal });
    const plan = await rescale(autoscaler, scale, { plan: planAutoscaler(observed), run });
    histories.set(key, plan.history);
    await carryOut(autoscaler, plan, run);
  };

  const scaleOf = async (
    autoscaler: V2HorizontalPodAutoscaler,
    signal: AbortSignal,
  ): Promise<ReadScale | { readonly problem: string }> => {
    const target = autoscaler.spec?.scaleTargetRef ?? { kind: "", name: "" };
    try {
      return await readScale(client, { ...target, namespace: namespaceOf(autoscaler) }, signal);
    } catch (error) {
      signal.throwIfAborted();
      return { problem: textOf(error) };
    }
  };

  const observe = async (
    key: string,
    { autoscaler, scale, signal }: Looked,
  ): Promise<ObservedAutoscaler> => {
    const namespace = namespaceOf(autoscaler);
    const history = histories.get(key) ?? noHistory;
    const selection = select(key, namespace, scale.selector);
    const metrics = needsMetrics(autoscaler, scale.replicas) ? autoscaler.spec?.metrics : [];
    const wanted = { namespace, podSelector: scale.selector, signal };
    const readings =
      selection.problem === undefined
        ? await Promise.all((metrics ?? []).map((metric) => readMetric(client, metric, wanted)))
        : [];
    return {
      autoscaler,
      scale,
      readings,
      pods: selection.pods,
      ...(selection.problem && { selectorProblem: selection.problem }),
      history,
      nowMs: clock.now(),
    };
  };

  /** Pods that two autoscalers would count belong to neither. */
  const select = (key: string, namespace: string, text: string): Selection => {
    if (text === "") {
      const problem = { reason: "SelectorRequired", message: "selector is required" } as const;
      return { pods: [], problem };
    }
    try {
      selectors.set(key, parseLabelSelector(text));
    } catch (error) {
      const what = "couldn't convert selector into a corresponding internal selector object";
      return {
        pods: [],
        problem: { reason: "InvalidSelector", message: `${what}: ${textOf(error)}` },
      };
    }
    const selected = [...podInformer.list(namespace)].filter(({ metadata }) =>
      selectors.get(key)?.matches(metadata.labels),
    );
    const rivals = [...selectors].filter(
      ([other, matcher]) =>
        parseKey(other).namespace === namespace &&
        informer.get(parseKey(other)) !== undefined &&
        selected.some(({ metadata }) => matcher.matches(metadata.labels)),
    );
    if (rivals.length < 2) return { pods: selected };
    const names = rivals.map(([other]) => `{${parseKey(other).name} ${namespace}}`).join(" ");
    const message = `pods by selector ${text} are controlled by multiple HPAs: [${names}]`;
    return { pods: selected, problem: { reason: "AmbiguousSelector", message } };
  };

  const rescale = async (
    autoscaler: V2HorizontalPodAutoscaler,
    scale: ReadScale,
    { plan, run }: { readonly plan: AutoscalerPlan; readonly run: Run },
  ): Promise<AutoscalerPlan> => {
    if (plan.rescale === undefined) return plan;
    const problem = await scale
      .write(plan.rescale.replicas, run.signal)
      .then(() => undefined, textOf);
    run.signal.throwIfAborted();
    return planAfterRescale(plan, {
      autoscaler,
      current: scale.replicas,
      ...(problem !== undefined && { problem }),
      nowMs: clock.now(),
    });
  };

  const carryOut = async (
    autoscaler: V2HorizontalPodAutoscaler,
    { events, status }: Pick<AutoscalerPlan, "events" | "status">,
    { signal }: Run,
  ): Promise<void> => {
    for (const event of events) recorder.record(autoscaler, event);
    if (sameJson(status, autoscaler.status)) return;
    const next = { ...autoscaler, status };
    await client.update(horizontalPodAutoscalers, next, { subresource: "status", signal });
  };

  return createController({
    name: "horizontalpodautoscaler",
    reads: ["horizontalpodautoscalers.autoscaling", "pods", "pods.metrics.k8s.io", "*/scale"],
    writes: [
      { resource: "horizontalpodautoscalers.autoscaling", fields: "status" },
      { resource: "*/scale", fields: "spec.replicas", of: "that autoscalers name" },
    ],
    sources: [
      keysFrom(informer, (change) => {
        const isOwnWrite =
          change.kind === "modified" && sameJson(change.object.spec, change.old.spec);
        return isOwnWrite ? [] : [keyOf(change.object)];
      }),
    ],
    reconcile,
    clock,
    log,
  });
}

interface Looked {
  readonly autoscaler: V2HorizontalPodAutoscaler;
  readonly scale: ReadScale;
  readonly signal: AbortSignal;
}

interface Selection {
  readonly pods: readonly Pod[];
  readonly problem?: SelectorProblem;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
