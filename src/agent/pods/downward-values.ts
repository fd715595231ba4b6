import type {
  Container,
  ObjectFieldSelector,
  Pod,
  ResourceFieldSelector,
} from "#api/generated/types.ts";
import { parseQuantity } from "#api/quantity.ts";

/** What a node tells its pods about itself. */
export interface DownwardNode {
  readonly name: string;
  readonly hostIps: readonly string[];
  /** The node's allocatable resources: the limit of containers that set none. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The value of a `fieldRef`; the addresses are those known now. */
export function fieldValue(pod: Pod, selector: ObjectFieldSelector, facts: FieldFacts): string {
  const path = selector.fieldPath;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed) return pod.metadata[keyed[1] as "labels" | "annotations"]?.[keyed[2] ?? ""] ?? "";
  const value = fields[path]?.(pod, facts);
  if (value === undefined) throw new Error(`unsupported fieldPath: ${path}`);
  return value;
}

export interface FieldFacts {
  readonly node: DownwardNode;
  readonly podIps: readonly string[];
}

const fields: Readonly<Record<string, (pod: Pod, facts: FieldFacts) => string>> = {
  "metadata.name": (pod) => pod.metadata.name ?? "",
  "metadata.namespace": (pod) => pod.metadata.namespace ?? "",
  "metadata.uid": (pod) => pod.metadata.uid ?? "",
  "metadata.labels": (pod) => formatMap(pod.metadata.labels),
  "metadata.annotations": (pod) => formatMap(pod.metadata.annotations),
  "spec.nodeName": (_, { node }) => node.name,
  "spec.serviceAccountName": (pod) => pod.spec?.serviceAccountName ?? "",
  "status.hostIP": (_, { node }) => node.hostIps[0] ?? "",
  "status.hostIPs": (_, { node }) => node.hostIps.join(","),
  "status.podIP": (_, { podIps }) => podIps[0] ?? "",
  "status.podIPs": (_, { podIps }) => podIps.join(","),
};

/** One `key="value"` a line, sorted, without a newline at the end. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join("\n");
}

export interface ResourceFacts {
  readonly node: DownwardNode;
  /** The container's pod: its limits as a whole are those of containers that set none. */
  readonly pod: Pod;
}

/** The value of a `resourceFieldRef`, rounded up to whole divisors. */
export function resourceValue(
  container: Container,
  selector: ResourceFieldSelector,
  { node, pod }: ResourceFacts,
): string {
  const [list = "", ...rest] = selector.resource.split(".");
  const name = rest.join(".");
  const { limits = {}, requests = {} } = container.resources ?? {};
  const most = pod.spec?.resources?.limits?.[name] ?? node.allocatable[name];
  const fallback = list === "limits" ? most : limits[name];
  const amount = (list === "limits" ? limits[name] : requests[name]) ?? fallback ?? "0";
  const divisor = selector.divisor;
  const per = parseQuantity(divisor === undefined || divisor === "0" ? "1" : divisor).nano;
  const { nano } = parseQuantity(amount);
  return String((nano + per - 1n) / per);
}
