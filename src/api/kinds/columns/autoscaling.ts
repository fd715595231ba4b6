import { metricSourceOf } from "#api/autoscaling/metric-sources.ts";
import type { Column, JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import {
  age,
  at,
  column,
  name,
  none,
  number,
  objects,
  text,
  unknown,
  unset,
} from "#api/kinds/columns/cells.ts";
import { autoscalerConversion } from "#api/kinds/conversions/autoscalers.ts";

/** The columns of `autoscaling` by kind; autoscalers of version 1 are read through version 2. */
export const autoscalingColumns: Readonly<Record<string, readonly Column[]>> = {
  HorizontalPodAutoscaler: [
    name,
    column("Reference", "What is scaled", (object) => {
      const target = at(object, "spec", "scaleTargetRef");
      return `${text(target, "kind")}/${text(target, "name")}`;
    }),
    column("Targets", "Current and wanted values of the metrics", (object) =>
      targets(asVersion2(object)),
    ),
    column("MinPods", "Fewest pods", (object) => text(object, "spec", "minReplicas") || unset),
    column("MaxPods", "Most pods", (object) => number(object, "spec", "maxReplicas")),
    column("Replicas", "Pods there are", (object) => number(object, "status", "currentReplicas")),
    age,
  ],
};

function asVersion2(object: JsonObject): JsonObject {
  const isVersion1 = object["apiVersion"] === "autoscaling/v1";
  return isVersion1 ? autoscalerConversion.toStored(object) : object;
}

const targetsShownMax = 2;

function targets(autoscaler: JsonObject): string {
  const specs = objects(autoscaler, "spec", "metrics");
  if (specs.length === 0) return none;
  const current = objects(autoscaler, "status", "currentMetrics");
  const all = specs.map((spec, position) => target(spec, current[position]));
  const shown = all.slice(0, targetsShownMax).join(", ");
  const more = all.length - targetsShownMax;
  return more > 0 ? `${shown} + ${more} more...` : shown;
}

function target(spec: JsonObject, status: JsonObject | undefined): string {
  const type = text(spec, "type");
  const field = metricSourceOf(type);
  if (field === undefined) return "<unknown type>";
  const wanted = at(spec, field, "target");
  const current = at(status, field, "current");
  if (type === "Resource" || type === "ContainerResource") {
    return `${text(spec, field, "name")}: ${resourceTarget(wanted, current)}`;
  }
  if (type === "Pods") return pair(wanted, current, "averageValue");
  if (at(wanted, "averageValue") !== undefined) {
    return `${pair(wanted, current, "averageValue")} (avg)`;
  }
  return pair(wanted, current, "value");
}

function resourceTarget(wanted: Json | undefined, current: Json | undefined): string {
  if (at(wanted, "averageValue") !== undefined) return pair(wanted, current, "averageValue");
  const used = at(current, "averageUtilization");
  const aim = at(wanted, "averageUtilization");
  return `${percent(used) ?? unknown}/${percent(aim) ?? "<auto>"}`;
}

function pair(wanted: Json | undefined, current: Json | undefined, field: string): string {
  return `${text(current, field) || unknown}/${text(wanted, field)}`;
}

function percent(value: Json | undefined): string | undefined {
  return typeof value === "number" ? `${value}%` : undefined;
}
