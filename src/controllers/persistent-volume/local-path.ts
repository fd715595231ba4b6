import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { boundByController, provisionedBy } from "#reconcile/volume-binding.ts";

/**
 * The provisioner that every cluster has: a directory on the node where the claim's first pod runs. The node makes it
 * when the volume is first mounted.
 */
export const localPathProvisioner = "kogge.dev/local-path";

/** The label by which a node finds the volumes that are its directories. */
const nodeLabel = "kogge.dev/node";

/** Where directories are made unless the class' `path` says otherwise. */
const pathDefault = "/var/lib/kogge/local-path";

/** What a claim that names no class gets. */
export const localPathClass: StorageClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: {
    name: "local-path",
    annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
  },
  provisioner: localPathProvisioner,
  reclaimPolicy: "Delete",
  volumeBindingMode: "WaitForFirstConsumer",
  allowVolumeExpansion: false,
};

export interface ProvisionedFor {
  readonly claim: PersistentVolumeClaim;
  readonly storageClass: StorageClass;
  readonly node: Node;
}

/** Its name follows from the claim: made twice, it is still one. */
export function localVolume({ claim, storageClass, node }: ProvisionedFor): PersistentVolume {
  const name = `pvc-${uidOf(claim)}`;
  const { reclaimPolicy = "Delete", mountOptions, parameters } = storageClass;
  const root = parameters?.["path"] ?? pathDefault;
  const hostname = node.metadata.labels?.["kubernetes.io/hostname"] ?? nameOf(node);
  const { accessModes, volumeMode, resources } = claim.spec ?? {};
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {
      name,
      labels: { [nodeLabel]: nameOf(node) },
      annotations: { [provisionedBy]: localPathProvisioner, [boundByController]: "yes" },
    },
    spec: {
      capacity: { storage: resources?.requests?.["storage"] ?? "0" },
      ...(accessModes && { accessModes }),
      ...(volumeMode && { volumeMode }),
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: nameOf(storageClass),
      ...(mountOptions && { mountOptions }),
      claimRef: {
        kind: "PersistentVolumeClaim",
        apiVersion: "v1",
        namespace: namespaceOf(claim),
        name: nameOf(claim),
        uid: uidOf(claim),
      },
      hostPath: {
        path: `${root}/${name}_${namespaceOf(claim)}_${nameOf(claim)}`,
        type: "DirectoryOrCreate",
      },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: "kubernetes.io/hostname", operator: "In", values: [hostname] },
              ],
            },
          ],
        },
      },
    },
  };
}

/** Why the provisioner cannot serve the claim. */
export function localPathProblem(claim: PersistentVolumeClaim): string | undefined {
  if (claim.spec?.volumeMode === "Block") return "block volumes are not made from directories";
  if (claim.spec?.selector !== undefined) return "claim Selector is not supported";
  const shared = claim.spec?.accessModes?.find((mode) => mode.endsWith("Many"));
  return shared && `a directory of one node cannot be ${shared}`;
}
