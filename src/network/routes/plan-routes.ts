import type { Node } from "#api/generated/types.ts";
import { contains, parseRange } from "#network/ip-range.ts";

/** Pods of another node are reached by that node's address. */
export interface NodeRoute {
  readonly podCidr: string;
  readonly via: string;
}

export interface RouteView {
  readonly nodes: Iterable<Node>;
  readonly nodeName: string;
  /** This machine's addresses: nodes that have one of them need no route. */
  readonly ownAddresses: ReadonlySet<string>;
  readonly clusterPodCidr: string;
}

/** The routes that this node needs, in the order of their ranges. Ranges outside of the cluster's are left alone. */
export function planRoutes(view: RouteView): readonly NodeRoute[] {
  const cluster = parseRange(view.clusterPodCidr);
  const routes = [...view.nodes].flatMap((node): NodeRoute[] => {
    const podCidr = node.spec?.podCIDR ?? "";
    const via = internalIp(node);
    if (node.metadata.name === view.nodeName || via === undefined || !isRange(podCidr)) return [];
    if (view.ownAddresses.has(via)) return [];
    const inside =
      contains(cluster, podCidr.split("/")[0] ?? "") && parseRange(podCidr).bits >= cluster.bits;
    return inside ? [{ podCidr, via }] : [];
  });
  return routes.toSorted((left, right) => (left.podCidr < right.podCidr ? -1 : 1));
}

/** What to do so that the kernel's routes are the wanted ones; those to drop come first. */
export function planRouteChanges(
  wanted: readonly NodeRoute[],
  present: readonly NodeRoute[],
): readonly (NodeRoute & { readonly act: "add" | "drop" })[] {
  const same = (left: NodeRoute, right: NodeRoute): boolean =>
    left.podCidr === right.podCidr && left.via === right.via;
  const ranges = new Set(wanted.map(({ podCidr }) => podCidr));
  return [
    ...present
      .filter(({ podCidr }) => !ranges.has(podCidr))
      .map((route) => ({ ...route, act: "drop" as const })),
    ...wanted
      .filter((route) => !present.some((one) => same(one, route)))
      .map((route) => ({ ...route, act: "add" as const })),
  ];
}

/** The routes in what `ip route show` prints. */
export function parseRoutes(output: string): readonly NodeRoute[] {
  return [...output.matchAll(/^(\S+) via (\S+) /gm)].map(([, range = "", via = ""]) => ({
    podCidr: range.includes("/") ? range : `${range}/32`,
    via,
  }));
}

function internalIp(node: Node): string | undefined {
  return node.status?.addresses?.find(
    ({ type, address }) => type === "InternalIP" && /^\d+(\.\d+){3}$/.test(address),
  )?.address;
}

function isRange(cidr: string): boolean {
  return /^\d+(\.\d+){3}\/\d+$/.test(cidr);
}
