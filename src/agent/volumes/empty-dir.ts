import { chmod, mkdir } from "node:fs/promises";
import type { Pod } from "#api/generated/types.ts";
import { formatQuantity, parseQuantity, quantityValue } from "#api/quantity.ts";
import { run } from "#agent/containerd/run.ts";
import { giveToGroup } from "#agent/volumes/group-of-volume.ts";
import { isMountPoint } from "#agent/volumes/mounts.ts";
import type { VolumePlugin, VolumeRequest } from "#agent/volumes/volume-plugin.ts";

export const emptyDir: VolumePlugin = {
  folder: "kubernetes.io~empty-dir",
  supports: ({ volume }) => volume.emptyDir !== undefined,
  async setUp(request) {
    const { pod, dir, spec } = request;
    await mkdir(dir, { recursive: true });
    const { medium = "" } = spec.volume.emptyDir ?? {};
    if (medium !== "" && !(await isMountPoint(dir))) await mountMedium(request, medium);
    // The mode of a new directory is cut by the process's mask.
    await chmod(dir, 0o777);
    await giveToGroup(pod, dir, { readOnly: false });
    return { hostPath: dir, readOnly: false };
  },
};

async function mountMedium(request: VolumeRequest, medium: string): Promise<void> {
  const { dir, pod } = request;
  if (medium === "Memory") {
    const size = memorySize(request);
    const options = ["mode=0777", ...(size > 0n ? [`size=${size}`] : [])].join();
    await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir]);
  } else if (medium.startsWith("HugePages")) {
    const options = `pagesize=${pageSizeOf(pod, medium)}`;
    await run("mount", ["-t", "hugetlbfs", "-o", options, "nodev", dir]);
  } else {
    throw new Error(`unknown storage medium "${medium}"`);
  }
}

/** The least of what the volume may hold, what the pod's containers may use, and what the node gives to pods. */
function memorySize({ pod, spec, context }: VolumeRequest): bigint {
  const { sizeLimit } = spec.volume.emptyDir ?? {};
  const sizes = [sizeLimit, context.node.allocatable["memory"]].flatMap((text) =>
    text === undefined ? [] : [quantityValue(parseQuantity(text))],
  );
  const ofPod = podMemoryLimit(pod);
  if (ofPod !== undefined) sizes.push(ofPod);
  const positive = sizes.map(BigInt).filter((size) => size > 0n);
  return positive.reduce((least, size) => (size < least ? size : least), positive[0] ?? 0n);
}

/** Undefined while one of its containers may use any memory. */
function podMemoryLimit(pod: Pod): bigint | undefined {
  const own = pod.spec?.resources?.limits?.["memory"];
  if (own !== undefined) return BigInt(quantityValue(parseQuantity(own)));
  let sum = 0n;
  for (const { resources } of pod.spec?.containers ?? []) {
    const limit = resources?.limits?.["memory"];
    if (limit === undefined) return undefined;
    sum += BigInt(quantityValue(parseQuantity(limit)));
  }
  return sum;
}

/** `HugePages-2Mi` names the size; `HugePages` is the one size that the pod's containers ask for. */
function pageSizeOf(pod: Pod, medium: string): string {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const prefix = "hugepages-";
  const asked = new Set(
    [...containers, ...initContainers]
      .flatMap(({ resources }) => Object.keys(resources?.requests ?? {}))
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length)),
  );
  const [only = ""] = asked;
  const size = medium === "HugePages" ? only : medium.slice("HugePages-".length);
  if (medium === "HugePages" && asked.size !== 1) {
    throw new Error(
      asked.size === 0
        ? `hugePages storage requested, but there is no resource request for huge pages.`
        : `medium "HugePages" can't be used if container(s) use multiple huge page sizes`,
    );
  }
  if (!asked.has(size)) {
    throw new Error(
      `hugePages storage requested, but there is no resource request for huge pages.`,
    );
  }
  return formatQuantity(parseQuantity(size)).replace(/i$/, "");
}
