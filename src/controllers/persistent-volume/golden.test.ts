import { join } from "node:path";
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { planClaim } from "#controllers/persistent-volume/plan-claim.ts";
import { planVolume } from "#controllers/persistent-volume/plan-volume.ts";
import { goldenPlans } from "#test/golden.ts";

interface Given {
  readonly claim?: Partial<PersistentVolumeClaim>;
  readonly volumes?: readonly GivenVolume[];
  readonly storageClass?: Pick<StorageClass, "provisioner" | "volumeBindingMode">;
  readonly defaultClass?: string;
  readonly node?: string;
  /** What becomes of the first volume is asked instead of what becomes of the claim. */
  readonly ofVolume?: boolean;
  readonly claimIsGone?: boolean;
}

interface GivenVolume extends Partial<PersistentVolume> {
  readonly name: string;
  readonly size?: string;
}

goldenPlans<Given>(join(import.meta.dirname, "golden"), (given) => {
  const claim: PersistentVolumeClaim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    ...given.claim,
    metadata: { name: "data", namespace: "a", uid: "mine", ...given.claim?.metadata },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "2Gi" } },
      ...given.claim?.spec,
    },
  };
  const volumes = (given.volumes ?? []).map(volumeOf);
  if (given.ofVolume) {
    const [volume] = volumes;
    return volume && planVolume(volume, given.claimIsGone ? undefined : claim);
  }
  const { storageClass, defaultClass, node } = given;
  const named = volumes.find((volume) => nameOf(volume) === claim.spec?.volumeName);
  const action = planClaim({
    claim,
    volumes,
    ...(named && { named }),
    ...(storageClass && {
      storageClass: {
        apiVersion: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: { name: claim.spec?.storageClassName ?? "" },
        ...storageClass,
      },
    }),
    ...(defaultClass && { defaultClass }),
    ...(node && { node: { apiVersion: "v1", kind: "Node", metadata: { name: node } } }),
  });
  if (action.kind === "bind") return { bind: nameOf(action.volume) };
  if (action.kind === "provision") {
    return { provision: action.storageClass.provisioner, node: action.node?.metadata.name };
  }
  return action;
});

function volumeOf({ name, size = "5Gi", ...more }: GivenVolume): PersistentVolume {
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    status: { phase: "Available" },
    ...more,
    metadata: { name, ...more.metadata },
    spec: { capacity: { storage: size }, accessModes: ["ReadWriteOnce"], ...more.spec },
  };
}
