import { metricSourceOf } from "#api/autoscaling/metric-sources.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";

/**
 * A metric of `autoscaling/v2` in the form that `autoscaling/v1` keeps in annotations: a target or current value
 * there is a field of its own (`targetAverageUtilization`) beside the metric's name, and not an object.
 */
export function metricToV1(metric: Json): Json {
  return withSource(metric, flat);
}

export function metricFromV1(metric: Json): Json {
  return withSource(metric, nested);
}

type Side = "target" | "current";

function withSource(
  metric: Json,
  change: (source: JsonObject, names: FlatNames) => JsonObject,
): Json {
  if (!isObject(metric)) return metric;
  const type = typeof metric["type"] === "string" ? metric["type"] : "";
  const field = metricSourceOf(type) ?? "";
  const source = metric[field];
  return isObject(source)
    ? { ...metric, [field]: change(source, flatNames(type, source)) }
    : metric;
}

/** What v1 calls the parts of a source. */
interface FlatNames {
  readonly side: Side;
  readonly selector: string;
  readonly value: string;
  readonly averageValue: string;
  readonly averageUtilization: string;
}

function flatNames(type: string, source: JsonObject): FlatNames {
  const isCurrent = Object.keys(source).some((name) => name.startsWith("current"));
  const side: Side = isCurrent ? "current" : "target";
  return {
    side,
    selector: type === "External" ? "metricSelector" : "selector",
    value: `${side}Value`,
    averageValue: type === "Object" ? "averageValue" : `${side}AverageValue`,
    averageUtilization: `${side}AverageUtilization`,
  };
}

function flat(source: JsonObject, names: FlatNames): JsonObject {
  const { metric, describedObject, [names.side]: amount, ...same } = source;
  return {
    ...same,
    ...(describedObject !== undefined && { target: describedObject }),
    ...renamed(metric, { name: "metricName", selector: names.selector }),
    ...renamed(amount, {
      value: names.value,
      averageValue: names.averageValue,
      averageUtilization: names.averageUtilization,
    }),
  };
}

function nested(source: JsonObject, names: FlatNames): JsonObject {
  const { name, container, target, metricName } = source;
  const metric = renamed(source, { metricName: "name", [names.selector]: "selector" });
  const amount = renamed(source, {
    [names.value]: "value",
    [names.averageValue]: "averageValue",
    [names.averageUtilization]: "averageUtilization",
  });
  return {
    ...(name !== undefined && { name }),
    ...(container !== undefined && { container }),
    ...(target !== undefined && { describedObject: target }),
    ...(metricName !== undefined && { metric }),
    [names.side]: names.side === "target" ? { type: typeOf(amount), ...amount } : amount,
  };
}

function typeOf(amount: JsonObject): string {
  if (amount["averageUtilization"] !== undefined) return "Utilization";
  return amount["averageValue"] !== undefined ? "AverageValue" : "Value";
}

function renamed(from: Json | undefined, names: Readonly<Record<string, string>>): JsonObject {
  if (!isObject(from)) return {};
  const fields = Object.entries(names).flatMap(([field, name]) => {
    const value = from[field];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(fields);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
