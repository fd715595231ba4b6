/** In which field of a metric's specification or status its source stands, by the metric's `type`. */
export const metricSources = new Map([
  ["ContainerResource", "containerResource"],
  ["External", "external"],
  ["Object", "object"],
  ["Pods", "pods"],
  ["Resource", "resource"],
] as const);

export function metricSourceOf(type: string | null | undefined): MetricSource | undefined {
  return (metricSources as ReadonlyMap<string, MetricSource>).get(type ?? "");
}

type MetricSource = "containerResource" | "external" | "object" | "pods" | "resource";
