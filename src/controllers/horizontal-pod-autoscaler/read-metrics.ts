import type {
  LabelSelector,
  V2CrossVersionObjectReference,
  MetricIdentifier,
  MetricSpec,
} from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { parseQuantity, quantityMilliValue } from "#api/quantity.ts";
import { rootPath, type Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { PodReading, Reading } from "#controllers/horizontal-pod-autoscaler/metric-reading.ts";
import { resourceOfKind } from "#controllers/horizontal-pod-autoscaler/target-scale.ts";

export interface MetricsWanted {
  readonly namespace: string;
  /** The scale's own, as text. */
  readonly podSelector: string;
  readonly signal: AbortSignal;
}

/** Asks the metrics API that a metric is of: resources of the cluster, custom and external ones of whoever serves them. */
export async function readMetric(
  client: Client,
  metric: MetricSpec,
  wanted: MetricsWanted,
): Promise<Reading> {
  try {
    if (metric.resource) return await readResource(client, metric.resource, wanted);
    if (metric.containerResource) {
      return await readResource(client, metric.containerResource, wanted);
    }
    if (metric.pods) return await readPods(client, metric.pods.metric, wanted);
    if (metric.object) return await readObject(client, metric.object, wanted);
    if (metric.external) return await readExternal(client, metric.external.metric, wanted);
    return { kind: "problem", message: "the metric's source is missing" };
  } catch (error) {
    wanted.signal.throwIfAborted();
    return { kind: "problem", message: error instanceof Error ? error.message : String(error) };
  }
}

interface PodMetrics extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly {
    readonly name: string;
    readonly usage: Readonly<Record<string, string>>;
  }[];
}

const podMetrics: Resource<PodMetrics> = {
  group: "metrics.k8s.io",
  version: "v1beta1",
  kind: "PodMetrics",
  resource: "pods",
  namespaced: true,
};

async function readResource(
  client: Client,
  { name, container }: { readonly name: string; readonly container?: string },
  { namespace, podSelector, signal }: MetricsWanted,
): Promise<Reading> {
  const { items } = await fetched("resource", () =>
    client.list(podMetrics, { namespace, labelSelector: podSelector, signal }),
  );
  if (items.length === 0) throw new Error("no metrics returned from resource metrics API");
  const readings = new Map<string, PodReading>();
  for (const item of items) {
    const value = usageOf(item, name, container);
    if (value === undefined) continue;
    readings.set(item.metadata.name ?? "", {
      value,
      timestampMs: Date.parse(item.timestamp),
      windowMs: Number.parseFloat(item.window) * 1000,
    });
  }
  return { kind: "pods", pods: readings };
}

/** Of the one container that is asked for, or of all; undefined when a part is not known. */
function usageOf(
  { containers }: PodMetrics,
  resource: string,
  container: string | undefined,
): number | undefined {
  const wanted = containers.filter(({ name }) => container === undefined || name === container);
  if (wanted.length === 0) return undefined;
  let sum = 0;
  for (const { usage } of wanted) {
    const amount = usage[resource];
    if (amount === undefined) return undefined;
    sum += milli(amount);
  }
  return sum;
}

interface MetricValue {
  readonly describedObject?: { readonly name?: string };
  readonly timestamp?: string;
  readonly windowSeconds?: number;
  readonly value: string;
}

interface MetricValues {
  readonly items?: readonly MetricValue[];
}

/** What metrics that do not say are averaged over. */
const windowDefaultMs = 60_000;

async function readPods(
  client: Client,
  metric: MetricIdentifier,
  wanted: MetricsWanted,
): Promise<Reading> {
  const { items = [] } = await readCustom(client, wanted, {
    path: `namespaces/${wanted.namespace}/pods/*/${metric.name}`,
    query: { labelSelector: wanted.podSelector, ...metricQuery(metric) },
  });
  const readings = items.map(
    ({ describedObject, timestamp, windowSeconds, value }): [string, PodReading] => [
      describedObject?.name ?? "",
      {
        value: milli(value),
        timestampMs: Date.parse(timestamp ?? ""),
        windowMs: windowSeconds === undefined ? windowDefaultMs : windowSeconds * 1000,
      },
    ],
  );
  return { kind: "pods", pods: new Map(readings) };
}

async function readObject(
  client: Client,
  { describedObject, metric }: NonNullable<MetricSpec["object"]>,
  wanted: MetricsWanted,
): Promise<Reading> {
  const where = await placeOf(client, describedObject, wanted);
  const query = metricQuery(metric);
  const { items = [] } = await readCustom(client, wanted, {
    path: `${where}/${metric.name}`,
    query,
  });
  return { kind: "object", value: milli(items[0]?.value ?? "0") };
}

/** A namespace is always the autoscaler's own: nobody looks into another. */
async function placeOf(
  client: Client,
  described: V2CrossVersionObjectReference,
  { namespace, signal }: MetricsWanted,
): Promise<string> {
  const { apiVersion = "v1", kind, name } = described;
  if (kind === "Namespace" && !apiVersion.includes("/")) return `namespaces/${namespace}/metrics`;
  const { group, resource } = await resourceOfKind(client, described, signal);
  const qualified = group === "" ? resource : `${resource}.${group}`;
  return `namespaces/${namespace}/${qualified}/${encodeURIComponent(name)}`;
}

async function readCustom(
  client: Client,
  { signal }: MetricsWanted,
  { path, query }: { readonly path: string; readonly query: Record<string, string> },
): Promise<MetricValues> {
  const values = await fetched("custom", async () => {
    const group = (await client.read("/apis/custom.metrics.k8s.io", { signal })) as {
      readonly preferredVersion?: { readonly version?: string };
    };
    const version = group.preferredVersion?.version ?? "v1beta2";
    const root = rootPath({ group: "custom.metrics.k8s.io", version });
    return (await client.read(`${root}/${path}`, { query, signal })) as MetricValues;
  });
  if ((values.items ?? []).length > 0) return values;
  throw new Error("no metrics returned from custom metrics API");
}

async function readExternal(
  client: Client,
  metric: MetricIdentifier,
  { namespace, signal }: MetricsWanted,
): Promise<Reading> {
  const root = rootPath({ group: "external.metrics.k8s.io", version: "v1beta1" });
  const path = `${root}/namespaces/${namespace}/${encodeURIComponent(metric.name)}`;
  const query = metric.selector && { labelSelector: selectorText(metric.selector) };
  const { items = [] } = await fetched(
    "external",
    async () => (await client.read(path, { ...(query && { query }), signal })) as MetricValues,
  );
  if (items.length === 0) throw new Error("no metrics returned from external metrics API");
  return { kind: "external", values: items.map(({ value }) => milli(value)) };
}

async function fetched<T>(api: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new Error(`unable to fetch metrics from ${api} metrics API: ${problem}`, {
      cause: error,
    });
  }
}

function metricQuery({ selector }: MetricIdentifier): Record<string, string> {
  return selector ? { metricLabelSelector: selectorText(selector) } : {};
}

/** A selector as it stands in a query. */
function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`;
  });
  return [...labels, ...expressions].join(",");
}

function milli(text: string): number {
  return Number(quantityMilliValue(parseQuantity(text)));
}
