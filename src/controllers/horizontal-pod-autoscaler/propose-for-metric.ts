import type {
  LabelSelector,
  MetricTarget,
  Pod,
  V2HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricValueStatus,
} from "#api/generated/types.ts";
import { formatQuantity, parseQuantity, quantityMilliValue } from "#api/quantity.ts";
import type { Reading } from "#controllers/horizontal-pod-autoscaler/metric-reading.ts";
import {
  proposeForAverage,
  proposeForShare,
  proposeForUtilization,
  proposeForValue,
  type PodsAsked,
  type Proposal,
  type Tolerances,
} from "#controllers/horizontal-pod-autoscaler/propose-replicas.ts";

export interface MetricAsked {
  readonly autoscaler: V2HorizontalPodAutoscaler;
  readonly metric: MetricSpec;
  readonly reading: Reading;
  readonly pods: readonly Pod[];
  /** What the scale wants, and what it has. */
  readonly currentReplicas: number;
  readonly statusReplicas: number;
  readonly nowMs: number;
}

export type MetricOutcome =
  | {
      readonly kind: "proposal";
      readonly replicas: number;
      /** As it is named in events. */
      readonly name: string;
      readonly status: MetricStatus;
    }
  /** `error` for the one who must do something about it; `summary` also says of which metric. */
  | {
      readonly kind: "problem";
      readonly reason: string;
      readonly error: string;
      readonly summary: string;
    };

/** What one metric asks for, in upstream's words. */
export function proposeForMetric(asked: MetricAsked): MetricOutcome {
  const { metric } = asked;
  try {
    switch (metric.type) {
      case "Resource":
        return ofResource(asked, metric.resource);
      case "ContainerResource":
        return ofContainer(asked, metric.containerResource);
      case "Pods":
        return ofPods(asked, metric.pods);
      case "Object":
        return ofObject(asked, metric.object);
      case "External":
        return ofExternal(asked, metric.external);
      default:
        throw new Error(`unknown metric source type "${metric.type}"`);
    }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const { reason, summary } = namesOf(metric);
    return { kind: "problem", reason, error: problem, summary: `${summary}${problem}` };
  }
}

function namesOf(metric: MetricSpec): { readonly reason: string; readonly summary: string } {
  switch (metric.type) {
    case "Resource":
      return failed("Resource", `${metric.resource?.name} resource metric value`);
    case "ContainerResource":
      return failed(
        "ContainerResource",
        `${metric.containerResource?.container} container metric value`,
      );
    case "Pods":
      return failed("Pods", "pods metric value");
    case "Object":
      return failed("Object", "object metric value");
    case "External":
      return failed("External", `${metric.external?.metric.name} external metric value`);
    default:
      return { reason: "InvalidMetricSourceType", summary: "" };
  }
}

function failed(source: string, what: string): { reason: string; summary: string } {
  return { reason: `FailedGet${source}Metric`, summary: `failed to get ${what}: ` };
}

function ofResource(asked: MetricAsked, source: MetricSpec["resource"]): MetricOutcome {
  const { name, target } = given(source);
  const use = useOf(asked, { resource: name, target, container: "" });
  const label = target.averageValue === undefined ? ` utilization (percentage of request)` : "";
  const status = { type: "Resource", resource: { name, current: use.current } };
  return proposed(use.proposal, `${name} resource${label}`, status);
}

function ofContainer(asked: MetricAsked, source: MetricSpec["containerResource"]): MetricOutcome {
  const { name, container, target } = given(source);
  const use = useOf(asked, { resource: name, target, container });
  const label =
    target.averageValue === undefined
      ? `${name} container resource utilization (percentage of request)`
      : `${name} resource`;
  const containerResource = { name, container, current: use.current };
  return proposed(use.proposal, label, { type: "ContainerResource", containerResource });
}

interface ResourceUse {
  readonly proposal: Proposal;
  readonly current: MetricValueStatus;
}

function useOf(
  asked: MetricAsked,
  { resource, target, container }: { resource: string; target: MetricTarget; container: string },
): ResourceUse {
  const { averageValue, averageUtilization } = target;
  const format = resource === "memory" ? "binary" : "decimal";
  if (averageValue === undefined && averageUtilization === undefined) throw new Error(noTarget);
  const sort = averageValue === undefined ? "utilization" : "usage";
  return within(`failed to get ${resource} ${sort}`, () => {
    const readings = podReadings(asked.reading, `unable to get metrics for resource ${resource}`);
    const pods: PodsAsked = { ...asked, readings, resource, tolerances: tolerancesOf(asked) };
    if (averageValue !== undefined) {
      const proposal = proposeForAverage(pods, milli(averageValue));
      return { proposal, current: { averageValue: quantity(proposal.usage, format) } };
    }
    const proposal = proposeForUtilization(pods, { percent: averageUtilization ?? 0, container });
    const current = {
      averageUtilization: proposal.utilization ?? 0,
      averageValue: quantity(proposal.usage, format),
    };
    return { proposal, current };
  });
}

const noTarget =
  "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set";

function ofPods(asked: MetricAsked, source: MetricSpec["pods"]): MetricOutcome {
  const { metric, target } = given(source);
  const readings = podReadings(asked.reading, `unable to get metric ${metric.name}`);
  const pods = { ...asked, readings, resource: "", tolerances: tolerancesOf(asked) };
  const proposal = proposeForAverage(pods, milli(target.averageValue ?? "0"));
  const current = { averageValue: quantity(proposal.usage) };
  return proposed(proposal, `pods metric ${metric.name}`, {
    type: "Pods",
    pods: { metric, current },
  });
}

function ofObject(asked: MetricAsked, source: MetricSpec["object"]): MetricOutcome {
  const { metric, target, describedObject } = given(source);
  const { namespace = "" } = asked.autoscaler.metadata;
  const { reading } = asked;
  const valueOf = (): number => {
    if (reading.kind === "object") return reading.value;
    const problem = reading.kind === "problem" ? reading.message : "no value";
    // In upstream's odd order.
    const { kind, name } = describedObject;
    throw new Error(
      `unable to get metric ${metric.name}: ${kind} on ${namespace} ${name}/${problem}`,
    );
  };
  const status = (current: MetricValueStatus): MetricStatus => ({
    type: "Object",
    object: { metric, describedObject, current },
  });
  if (target.type === "Value" && target.value !== undefined) {
    const proposal = byValue(asked, valueOf(), target.value);
    const label = `${describedObject.kind} metric ${metric.name}`;
    return proposed(proposal, label, status({ value: quantity(proposal.usage) }));
  }
  if (target.type === "AverageValue" && target.averageValue !== undefined) {
    const averageValue = target.averageValue;
    const proposal = within(`failed to get ${metric.name} object metric`, () =>
      byShare(asked, valueOf(), averageValue),
    );
    const label = externalName(metric);
    return proposed(proposal, label, status({ averageValue: quantity(proposal.usage) }));
  }
  throw new Error(
    "invalid object metric source: neither a value target nor an average value target was set",
  );
}

function ofExternal(asked: MetricAsked, source: MetricSpec["external"]): MetricOutcome {
  const { metric, target } = given(source);
  const { namespace = "" } = asked.autoscaler.metadata;
  const { reading } = asked;
  const valueOf = (): number => {
    if (reading.kind === "external") return reading.values.reduce((sum, value) => sum + value, 0);
    const problem = reading.kind === "problem" ? reading.message : "no value";
    const what = `${namespace}/${metric.name}/${selectorText(metric.selector)}`;
    throw new Error(`unable to get external metric ${what}: ${problem}`);
  };
  const status = (current: MetricValueStatus): MetricStatus => ({
    type: "External",
    external: { metric, current },
  });
  const { averageValue, value } = target;
  if (averageValue !== undefined) {
    const proposal = within(`failed to get ${metric.name} external metric`, () =>
      byShare(asked, valueOf(), averageValue),
    );
    const current = { averageValue: quantity(proposal.usage) };
    return proposed(proposal, externalName(metric), status(current));
  }
  if (value !== undefined) {
    const proposal = within(`failed to get external metric ${metric.name}`, () =>
      byValue(asked, valueOf(), value),
    );
    return proposed(proposal, externalName(metric), status({ value: quantity(proposal.usage) }));
  }
  throw new Error(
    "invalid external metric source: neither a value target nor an average value target was set",
  );
}

function byValue(asked: MetricAsked, value: number, target: string): Proposal {
  const tolerances = tolerancesOf(asked);
  return proposeForValue({ ...asked, tolerances }, { value, target: milli(target) });
}

function byShare(asked: MetricAsked, value: number, target: string): Proposal {
  const share = { value, target: milli(target) };
  return proposeForShare(asked.statusReplicas, share, tolerancesOf(asked));
}

/** Where nothing else is said. */
const toleranceDefault = 0.1;

function tolerancesOf({ autoscaler: { spec } }: MetricAsked): Tolerances {
  const tolerance = (text: string | undefined): number =>
    text === undefined ? toleranceDefault : Number(parseQuantity(text).nano) / 1e9;
  const { scaleUp, scaleDown } = spec?.behavior ?? {};
  return { up: tolerance(scaleUp?.tolerance), down: tolerance(scaleDown?.tolerance) };
}

function proposed({ replicas }: Proposal, name: string, status: MetricStatus): MetricOutcome {
  return { kind: "proposal", replicas, name, status };
}

function podReadings(reading: Reading, what: string): PodsAsked["readings"] {
  if (reading.kind === "pods") return reading.pods;
  throw new Error(`${what}: ${reading.kind === "problem" ? reading.message : "no value"}`);
}

function within<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function given<T>(source: T | undefined): T {
  if (source === undefined) throw new Error("the metric's source is missing");
  return source;
}

function milli(text: string): number {
  return Number(quantityMilliValue(parseQuantity(text)));
}

function quantity(thousandths: number, format: "decimal" | "binary" = "decimal"): string {
  return formatQuantity({ nano: BigInt(Math.trunc(thousandths)) * 1_000_000n, format });
}

/** As Go prints a selector, which events show. */
function selectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return "nil";
  const labels = Object.entries(selector.matchLabels ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`);
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(" ")}],}`,
  );
  const map = `map[string]string{${labels.join("")}}`;
  const list = `[]LabelSelectorRequirement{${expressions.join("")}}`;
  return `&LabelSelector{MatchLabels:${map},MatchExpressions:${list},}`;
}

function externalName(metric: {
  readonly name: string;
  readonly selector?: LabelSelector;
}): string {
  return `external metric ${metric.name}(${selectorText(metric.selector)})`;
}
