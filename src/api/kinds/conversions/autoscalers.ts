import type { Json } from "#api/meta.ts";
import type { JsonObject, StoredAs } from "#api/kind.ts";
import { metricFromV1, metricToV1 } from "#api/kinds/conversions/autoscaler-metrics.ts";

/**
 * Between `autoscaling/v1` and the stored form, `autoscaling/v2`. What v1 has no field for travels in annotations,
 * named and written as upstream does, so that nothing is lost on the way there and back.
 */
export const autoscalerConversion: NonNullable<StoredAs["convert"]> = {
  fromStored(object) {
    const spec = objectIn(object, "spec");
    const status = objectIn(object, "status");
    const current = listIn(status, "currentMetrics");
    const carried = {
      [metricsAnnotation]: listIn(spec, "metrics").filter(isNotCpu).map(metricToV1),
      [behaviorAnnotation]: spec["behavior"],
      [currentMetricsAnnotation]: current.map(metricToV1),
      [conditionsAnnotation]: listIn(status, "conditions"),
    };
    return {
      ...object,
      apiVersion: "autoscaling/v1",
      metadata: annotated(objectIn(object, "metadata"), carried),
      spec: specFromStored(spec),
      status: statusFromStored(status),
    };
  },

  toStored(object) {
    const metadata = objectIn(object, "metadata");
    const spec = objectIn(object, "spec");
    const status = objectIn(object, "status");
    const carried = carriedBy(metadata);
    return {
      ...object,
      apiVersion: "autoscaling/v2",
      metadata: withoutCarried(metadata),
      spec: specToStored(spec, carried),
      ...("status" in object && { status: statusToStored(status, carried) }),
    };
  },
};

const metricsAnnotation = "autoscaling.alpha.kubernetes.io/metrics";
const behaviorAnnotation = "autoscaling.alpha.kubernetes.io/behavior";
const currentMetricsAnnotation = "autoscaling.alpha.kubernetes.io/current-metrics";
const conditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions";
const annotationNames = [
  metricsAnnotation,
  behaviorAnnotation,
  currentMetricsAnnotation,
  conditionsAnnotation,
];

function specFromStored(spec: JsonObject): JsonObject {
  const { metrics, behavior: _behavior, ...same } = spec;
  const cpu = (Array.isArray(metrics) ? metrics : []).find((metric) => !isNotCpu(metric));
  const target = cpu === undefined ? undefined : utilizationOf(cpu, "target");
  return { ...same, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) };
}

function statusFromStored(status: JsonObject): JsonObject {
  const { currentMetrics, conditions: _conditions, ...same } = status;
  const cpu = (Array.isArray(currentMetrics) ? currentMetrics : []).find(isCpuResource);
  const current = cpu === undefined ? undefined : utilizationOf(cpu, "current");
  return { ...same, ...(current !== undefined && { currentCPUUtilizationPercentage: current }) };
}

function specToStored(spec: JsonObject, carried: JsonObject): JsonObject {
  const { targetCPUUtilizationPercentage: target, ...same } = spec;
  const metrics = listIn(carried, metricsAnnotation).map(metricFromV1);
  if (target !== undefined) metrics.push(cpuMetric(target));
  const behavior = carried[behaviorAnnotation];
  return {
    ...same,
    ...(metrics.length > 0 && { metrics }),
    ...(behavior !== undefined && { behavior }),
  };
}

function statusToStored(status: JsonObject, carried: JsonObject): JsonObject {
  const { currentCPUUtilizationPercentage: _current, ...same } = status;
  const currentMetrics = listIn(carried, currentMetricsAnnotation).map(metricFromV1);
  const conditions = listIn(carried, conditionsAnnotation);
  return {
    ...same,
    ...(currentMetrics.length > 0 && { currentMetrics }),
    ...(conditions.length > 0 && { conditions }),
  };
}

function cpuMetric(target: Json): JsonObject {
  return {
    type: "Resource",
    resource: { name: "cpu", target: { type: "Utilization", averageUtilization: target } },
  };
}

/** A metric that v1's one field does not express. */
function isNotCpu(metric: Json): boolean {
  return !isCpuResource(metric) || utilizationOf(metric, "target") === undefined;
}

function isCpuResource(metric: Json): boolean {
  if (!isObject(metric)) return false;
  return metric["type"] === "Resource" && objectIn(metric, "resource")["name"] === "cpu";
}

function utilizationOf(metric: Json, side: "target" | "current"): Json | undefined {
  if (!isObject(metric)) return undefined;
  return objectIn(objectIn(metric, "resource"), side)["averageUtilization"];
}

function annotated(metadata: JsonObject, carried: Readonly<Record<string, Json | undefined>>) {
  const written = Object.entries(carried).flatMap(([name, value]) =>
    value === undefined || (Array.isArray(value) && value.length === 0)
      ? []
      : [[name, JSON.stringify(value)] as const],
  );
  if (written.length === 0) return metadata;
  const annotations = { ...objectIn(metadata, "annotations"), ...Object.fromEntries(written) };
  return { ...metadata, annotations };
}

/** The carried values; an annotation that is not JSON carries nothing. */
function carriedBy(metadata: JsonObject): JsonObject {
  const annotations = objectIn(metadata, "annotations");
  const carried: JsonObject = {};
  for (const name of annotationNames) {
    const value = parsed(annotations[name]);
    if (value !== undefined) carried[name] = value;
  }
  return carried;
}

function parsed(text: Json | undefined): Json | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function withoutCarried(metadata: JsonObject): JsonObject {
  const annotations = objectIn(metadata, "annotations");
  const kept = Object.entries(annotations).filter(([name]) => !annotationNames.includes(name));
  if (kept.length === Object.keys(annotations).length) return metadata;
  const { annotations: _annotations, ...same } = metadata;
  return { ...same, ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }) };
}

function objectIn(parent: JsonObject, field: string): JsonObject {
  const value = parent[field];
  return isObject(value) ? value : {};
}

function listIn(parent: JsonObject, field: string): Json[] {
  const value = parent[field];
  return Array.isArray(value) ? [...value] : [];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
