import { nodes } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import { nodeRange } from "#main/cidr.ts";

/** The pods' ranges that nodes have, by the nodes' names. */
export async function rangesOfNodes(client: Client): Promise<ReadonlyMap<string, string>> {
  const { items } = await client.list(nodes);
  return new Map(
    items.flatMap(({ metadata, spec }) =>
      metadata.name && spec?.podCIDR ? [[metadata.name, spec.podCIDR] as const] : [],
    ),
  );
}

/** A range for each name: the one it has, else the lowest that nobody has. */
export function chooseRanges(
  names: readonly string[],
  taken: ReadonlyMap<string, string>,
  podCidr: string,
): ReadonlyMap<string, string> {
  const used = new Set(taken.values());
  let index = 0;
  const free = (): string => {
    while (used.has(nodeRange(podCidr, index))) index += 1;
    index += 1;
    return nodeRange(podCidr, index - 1);
  };
  return new Map(names.map((name) => [name, taken.get(name) ?? free()]));
}
