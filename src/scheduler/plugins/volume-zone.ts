import type { PersistentVolume, Pod } from "#api/generated/types.ts";
import { keyOf } from "#api/meta.ts";
import { claimsOfPod } from "#reconcile/claims-of-pod.ts";
import type { Plugin } from "#scheduler/framework.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

const name = "VolumeZone";

const rejection = { reasons: ["node(s) had no available volume zone"], unresolvable: true };

/** Older labels and those that took their place. */
const successors: Readonly<Record<string, string>> = {
  "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
};
const topologyLabels = [...Object.keys(successors), ...Object.values(successors)];

interface ZoneDemand {
  readonly label: string;
  readonly values: ReadonlySet<string>;
}

/** Keeps pods in the zones and regions that the labels of their volumes name. */
export function createVolumeZone(storage: Storage): Plugin {
  return {
    name,
    preFilter({ pod }, state) {
      const demands = volumesOf(pod, storage).flatMap(demandsOf);
      if (demands.length === 0) return "skip";
      state.set(name, demands);
      return undefined;
    },
    filter(_pod, { node }, state) {
      const demands = state.get(name) as readonly ZoneDemand[] | undefined;
      if (demands === undefined) return undefined;
      const labels = node.metadata.labels ?? {};
      // A cluster of one zone need not label its nodes.
      if (topologyLabels.every((label) => labels[label] === undefined)) return undefined;
      const agrees = demands.every(({ label, values }) =>
        values.has(labels[label] ?? labels[successors[label] ?? ""] ?? ""),
      );
      return agrees ? undefined : rejection;
    },
    helpedBy: (event, { placed }) =>
      event.kind === "nodeAdded" ||
      (event.kind === "nodeChanged" && event.changes.has("labels")) ||
      (event.kind === "claimChanged" && placed.claims.includes(event.key)) ||
      (event.kind === "storageChanged" && (event.what === "volume" || event.what === "class")),
  };
}

function volumesOf(pod: Pod, storage: Storage): readonly PersistentVolume[] {
  const [namespace] = keyOf(pod).split("/");
  return claimsOfPod(pod).flatMap((claimName) => {
    const claim = storage.claim(`${namespace}/${claimName}`);
    return storage.volume(claim?.spec?.volumeName ?? "") ?? [];
  });
}

/** Several zones stand in one label with two underscores between. */
function demandsOf({ metadata: { labels = {} } }: PersistentVolume): readonly ZoneDemand[] {
  return topologyLabels.flatMap((label) => {
    const text = labels[label];
    return text === undefined ? [] : [{ label, values: new Set(text.split("__")) }];
  });
}
