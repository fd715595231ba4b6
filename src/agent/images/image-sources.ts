import type { Node } from "#api/generated/types.ts";
import type { Random } from "#base/random.ts";

/** A node that has an image, or may have it. */
export interface ImageSource {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

export interface AskingNode {
  readonly name: string;
  readonly architecture: string;
  readonly operatingSystem: string;
}

export interface WantedImage {
  /** As containerd keeps it (`storedName`). */
  readonly name: string;
  /** The node that asks. */
  readonly self: AskingNode;
}

/** So many nodes are asked for one image, before the registry. */
const sourcesMax = 5;
/** Of these, so many that do not say that they have it. */
const unlistedMax = 3;
/** As many images a node lists at most: one that lists so many may have others. */
const listedMax = 50;

/**
 * Which nodes to ask for an image, in this order: those that list it, then those that have more images than they can
 * list. Only ready nodes with real containers and the same kind of machine count; who comes first is left to chance,
 * so that not all ask the same.
 */
export function planSources(
  nodes: readonly Node[],
  { name, self }: WantedImage,
  random: Random,
): readonly ImageSource[] {
  const others = shuffled(
    nodes.filter((node) => canGive(node, self)),
    random,
  );
  const listing = others.filter((node) => lists(node, name));
  const unlisted = others.filter(
    (node) => !listing.includes(node) && (node.status?.images?.length ?? 0) >= listedMax,
  );
  return [...listing, ...unlisted.slice(0, unlistedMax)].slice(0, sourcesMax).map(sourceOf);
}

export function lists({ status }: Pick<Node, "status">, name: string): boolean {
  return status?.images?.some(({ names }) => names?.includes(name)) ?? false;
}

function canGive({ metadata, status }: Node, self: AskingNode): boolean {
  if (metadata.name === self.name || metadata.deletionTimestamp) return false;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const { architecture, operatingSystem, containerRuntimeVersion } = status?.nodeInfo ?? {};
  return (
    ready?.status === "True" &&
    architecture === self.architecture &&
    operatingSystem === self.operatingSystem &&
    containerRuntimeVersion?.startsWith("simulated://") === false &&
    sourceOf({ metadata, status }).port > 0
  );
}

function sourceOf({ metadata, status }: Pick<Node, "metadata" | "status">): ImageSource {
  const address = status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
  const port = status?.daemonEndpoints?.kubeletEndpoint?.Port;
  return {
    node: metadata.name ?? "",
    host: address ?? "",
    port: address === undefined ? 0 : (port ?? 0),
  };
}

function shuffled<T>(all: readonly T[], random: Random): readonly T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ one }) => one);
}
