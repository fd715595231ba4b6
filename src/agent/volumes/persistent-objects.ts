import type { Node, PersistentVolume, PersistentVolumeClaim } from "#api/generated/types.ts";
import { nodes, persistentVolumeClaims, persistentVolumes } from "#api/resources.ts";
import type { Client } from "#client/client.ts";

/** What stands behind claims, read when a pod needs it: a node may read no other claims and volumes. */
export interface PersistentObjects {
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim>;
  volume(name: string): Promise<PersistentVolume>;
  node(): Promise<Node>;
}

export function readPersistentObjects(client: Client, nodeName: string): PersistentObjects {
  return {
    claim: (namespace, name) => client.get(persistentVolumeClaims, { namespace, name }),
    volume: (name) => client.get(persistentVolumes, { name }),
    node: () => client.get(nodes, { name: nodeName }),
  };
}
