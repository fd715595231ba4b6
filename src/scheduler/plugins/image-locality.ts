import type { Pod } from "#api/generated/types.ts";
import type { ClusterState } from "#scheduler/cluster-state.ts";
import { scoreMax, type Plugin } from "#scheduler/framework.ts";

const name = "ImageLocality";
const smallBytes = 23 * 1024 * 1024;
const largeBytesPerContainer = 1000 * 1024 * 1024;

interface Wanted {
  readonly image: string;
  /** Of all nodes, those that have it. */
  readonly share: number;
}

/**
 * Prefers nodes that have a pod's images already; small images do not count. An image counts for as large a part as
 * there are nodes that have it, so that the few nodes with a rare image are not given all its pods.
 */
export function createImageLocality({ images, ...cluster }: ImageCluster): Plugin {
  return {
    name,
    weight: 1,
    preScore({ pod }, _nodes, state) {
      const wanted = imagesOf(pod).flatMap((image): Wanted[] => {
        const count = images.nodesWith(image);
        return count === 0 ? [] : [{ image, share: count / cluster.nodeCount() }];
      });
      if (wanted.length === 0) return "skip";
      state.set(name, wanted);
      return undefined;
    },
    score({ pod }, node, state) {
      const wanted = (state.get(name) ?? []) as readonly Wanted[];
      const { initContainers = [], containers = [] } = pod.spec ?? {};
      let bytes = 0;
      for (const { image, share } of wanted) {
        bytes += Math.floor((node.images.get(image) ?? 0) * share);
      }
      const large = largeBytesPerContainer * (initContainers.length + containers.length);
      const counted = Math.min(Math.max(bytes, smallBytes), large);
      return Math.floor((scoreMax * (counted - smallBytes)) / (large - smallBytes));
    },
  };
}

export interface ImageCluster {
  readonly images: ClusterState["images"];
  nodeCount(): number;
}

/** Of containers and of volumes that are images, as often as each is named. */
function imagesOf({ spec }: Pod): readonly string[] {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const volumes = (spec?.volumes ?? []).flatMap((volume) => volume.image?.reference ?? []);
  return [...containers.map(({ image = "" }) => image), ...volumes].map(withTag);
}

function withTag(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;
}
