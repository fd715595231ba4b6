import { scoreMax, type Plugin } from "#scheduler/framework.ts";

const smallBytes = 23 * 1024 * 1024;
const largeBytesPerContainer = 1000 * 1024 * 1024;

/** Prefers nodes that have a pod's images already; small images do not count. */
export const imageLocality: Plugin = {
  name: "ImageLocality",
  weight: 1,
  preScore: (_pod, nodes) => (nodes.some(({ images }) => images.size > 0) ? undefined : "skip"),
  score({ pod }, { images }) {
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const bytes = containers.reduce(
      (sum, { image = "" }) => sum + (images.get(image) ?? images.get(withTag(image)) ?? 0),
      0,
    );
    const large = largeBytesPerContainer * containers.length;
    const counted = Math.min(Math.max(bytes, smallBytes), large);
    return Math.floor((scoreMax * (counted - smallBytes)) / (large - smallBytes));
  },
};

function withTag(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;
}
