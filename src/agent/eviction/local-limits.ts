import type { Pod } from "#api/generated/types.ts";
import { formatQuantity } from "#api/quantity.ts";
import { quantityBytes } from "#agent/node/node-settings.ts";
import { podAmount } from "#agent/pods/pod-amounts.ts";
import { ephemeralOf } from "#agent/stats/summary.ts";
import type { PodUsage } from "#agent/stats/usage.ts";

const storage = "ephemeral-storage";

/** Whether a pod may take only so much of the node's disk: then it must be measured now and then. */
export function hasLocalLimits(pod: Pod): boolean {
  return (
    podAmount(pod, "limits", storage) !== undefined ||
    (pod.spec?.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined)
  );
}

/** A limit that a pod is over, as upstream counts it and says it. */
export interface LocalExcess {
  readonly signal: "emptydirfs.limit" | "ephemeralpodfs.limit" | "ephemeralcontainerfs.limit";
  readonly message: string;
}

/** Upstream's words for the first limit that a pod is over; undefined while it keeps to all. */
export function localExcess(usage: PodUsage): LocalExcess | undefined {
  return volumeExcess(usage) ?? podExcess(usage) ?? containerExcess(usage);
}

function volumeExcess({ pod, disk }: PodUsage): LocalExcess | undefined {
  for (const { name, emptyDir } of pod.spec?.volumes ?? []) {
    const limit = emptyDir?.sizeLimit;
    if (limit === undefined) continue;
    const used = disk?.volumes.find((volume) => volume.name === name)?.usedBytes ?? 0;
    if (quantityBytes(limit) > 0 && used > quantityBytes(limit)) {
      const message = `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
      return { signal: "emptydirfs.limit", message };
    }
  }
  return undefined;
}

function podExcess(usage: PodUsage): LocalExcess | undefined {
  const limit = podAmount(usage.pod, "limits", storage);
  if (limit === undefined || ephemeralOf(usage).usedBytes <= Number(limit) / 1e9) return undefined;
  const text = textOfLimit(usage.pod);
  const message = `Pod ephemeral local storage usage exceeds the total limit of containers ${text}. `;
  return { signal: "ephemeralpodfs.limit", message };
}

function containerExcess({ pod, containers, disk }: PodUsage): LocalExcess | undefined {
  for (const { state, stats } of containers) {
    const spec = pod.spec?.containers.find(({ name }) => name === state.name);
    const limit = spec?.resources?.limits?.[storage];
    if (limit === undefined) continue;
    const logs = disk?.logs.get(state.name)?.usedBytes ?? 0;
    if ((stats.writtenBytes ?? 0) + logs > quantityBytes(limit)) {
      const message = `Container ${state.name} exceeded its local ephemeral storage limit "${limit}". `;
      return { signal: "ephemeralcontainerfs.limit", message };
    }
  }
  return undefined;
}

/** One container's limit as it is written, the sum of several as upstream prints it. */
function textOfLimit(pod: Pod): string {
  return formatQuantity({ nano: podAmount(pod, "limits", storage) ?? 0n, format: "binary" });
}
