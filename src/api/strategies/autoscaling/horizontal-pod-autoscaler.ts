import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
  V2HorizontalPodAutoscaler,
} from "#api/generated/types.ts";
import { metricSourceOf, metricSources } from "#api/autoscaling/metric-sources.ts";
import { pathSegmentProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkFormat,
  checkOneOf,
  checkPositive,
  checkPositiveQuantity,
  notPositive,
} from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import {
  type Filling,
  type Given,
  itemsOf,
  objectIn,
  setWhereUnset,
} from "#api/validation/given.ts";

const defaultUtilizationPercent = 80;
const periodMaxSeconds = 1800;
const windowMaxSeconds = 3600;

/** Both versions: version 1 knows one metric, the cpu, under a name of its own. */
export const horizontalPodAutoscalerStrategy = strategyFor<V2HorizontalPodAutoscaler>({
  hasGeneration: false,
  fillDefaults(autoscaler) {
    const spec = objectIn(autoscaler, "spec");
    spec.minReplicas ??= 1;
    if (autoscaler.apiVersion === "autoscaling/v1") {
      const first = autoscaler as Filling<HorizontalPodAutoscaler>;
      const { annotations } = first.metadata ?? {};
      if (!annotations?.["autoscaling.alpha.kubernetes.io/metrics"]) {
        objectIn(first, "spec").targetCPUUtilizationPercentage ??= defaultUtilizationPercent;
      }
      return;
    }
    if ((spec.metrics ?? []).length === 0) spec.metrics = [cpuMetric()];
    fillBehavior(spec.behavior);
  },
  validate(root, autoscaler) {
    const field = root.child("spec");
    const spec = autoscaler.spec ?? {};
    const { minReplicas, maxReplicas } = spec;
    if (typeof minReplicas === "number" && minReplicas < 1) {
      field.child("minReplicas").invalid(minReplicas, "must be greater than or equal to 1");
    }
    if ((maxReplicas ?? 0) < 1) field.child("maxReplicas").invalid(maxReplicas ?? 0, notPositive);
    if (typeof minReplicas === "number" && (maxReplicas ?? 0) < minReplicas) {
      field
        .child("maxReplicas")
        .invalid(maxReplicas ?? 0, "must be greater than or equal to `minReplicas`");
    }
    checkTarget(field.child("scaleTargetRef"), spec.scaleTargetRef ?? {});
    for (const [index, metric] of itemsOf(spec.metrics).entries()) {
      checkMetric(field.child("metrics").index(index), metric);
    }
    if (spec.behavior) checkBehavior(field.child("behavior"), spec.behavior);
  },
});

function cpuMetric(): Filling<MetricSpec> {
  const target = { type: "Utilization", averageUtilization: defaultUtilizationPercent };
  return { type: "Resource", resource: { name: "cpu", target } };
}

/** Up: the faster of doubling and four pods, each 15 s. Down: anything, steady over the controller's window. */
function fillBehavior(behavior: Filling<HorizontalPodAutoscalerBehavior> | null | undefined): void {
  if (!behavior) return;
  const up = objectIn(behavior, "scaleUp");
  setWhereUnset(up, { selectPolicy: "Max", stabilizationWindowSeconds: 0 });
  up.policies ??= [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ];
  const down = objectIn(behavior, "scaleDown");
  setWhereUnset(down, { selectPolicy: "Max" });
  down.policies ??= [{ type: "Percent", value: 100, periodSeconds: 15 }];
}

function checkTarget(field: Field, target: Given<CrossVersionObjectReference>): void {
  checkFormat(field.child("kind"), target.kind, pathSegmentProblems);
  checkFormat(field.child("name"), target.name, pathSegmentProblems);
}

function checkMetric(field: Field, metric: Given<MetricSpec>): void {
  checkOneOf(field.child("type"), metric.type, [...metricSources.keys()]);
  const name = metricSourceOf(metric.type);
  if (name === undefined) return;
  for (const other of metricSources.values()) {
    if (other !== name && metric[other]) {
      field.child(other).forbidden("must populate the given metric source only");
    }
  }
  const source = metric[name];
  if (!source) {
    return field.child(name).required(`must populate information for the given metric source`);
  }
  const at = field.child(name);
  if ("name" in source || name === "resource" || name === "containerResource") {
    const resource = source as { readonly name?: string | null };
    if (!resource.name) at.child("name").required("must specify a resource name");
  }
  checkMetricTarget(at.child("target"), source.target ?? {});
}

function checkMetricTarget(field: Field, target: Given<MetricTarget>): void {
  checkOneOf(field.child("type"), target.type, ["AverageValue", "Utilization", "Value"]);
  checkPositive(field.child("averageUtilization"), target.averageUtilization);
  if (target.value) checkPositiveQuantity(field.child("value"), target.value);
  if (target.averageValue) checkPositiveQuantity(field.child("averageValue"), target.averageValue);
  if (typeof target.averageUtilization !== "number" && !target.value && !target.averageValue) {
    field
      .child("averageUtilization")
      .required("must set either a target raw value or a target utilization");
  }
}

function checkBehavior(field: Field, behavior: Given<HorizontalPodAutoscalerBehavior>): void {
  for (const name of ["scaleUp", "scaleDown"] as const) {
    if (behavior[name]) checkRules(field.child(name), behavior[name]);
  }
}

function checkRules(field: Field, rules: Given<HPAScalingRules>): void {
  const window = rules.stabilizationWindowSeconds;
  if (typeof window === "number" && (window < 0 || window > windowMaxSeconds)) {
    const rule =
      window < 0
        ? "must be greater than or equal to zero"
        : `must be less than or equal to ${windowMaxSeconds}`;
    field.child("stabilizationWindowSeconds").invalid(window, rule);
  }
  if (rules.selectPolicy) {
    checkOneOf(field.child("selectPolicy"), rules.selectPolicy, ["Disabled", "Max", "Min"]);
  }
  const policies = itemsOf(rules.policies);
  if (policies.length === 0) field.child("policies").required("must specify at least one Policy");
  for (const [index, policy] of policies.entries()) {
    const at = field.child("policies").index(index);
    checkOneOf(at.child("type"), policy.type, ["Percent", "Pods"]);
    if ((policy.value ?? 0) <= 0) at.child("value").invalid(policy.value ?? 0, notPositive);
    const period = policy.periodSeconds ?? 0;
    if (period <= 0) at.child("periodSeconds").invalid(period, notPositive);
    if (period > periodMaxSeconds) {
      at.child("periodSeconds").invalid(
        period,
        `must be less than or equal to ${periodMaxSeconds}`,
      );
    }
  }
}
