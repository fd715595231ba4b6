import type { ResourceSlice } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { nodes, resourceSlices } from "#api/resources.ts";
import { hasReason } from "#api/status.ts";
import type { DriverDevices } from "#agent/simulated/node-groups.ts";
import type { Client } from "#client/client.ts";

/** Publishes a node's devices as its drivers would: a slice for each, which goes when the node goes. */
export async function publishDevices(
  client: Client,
  nodeName: string,
  drivers: readonly DriverDevices[],
): Promise<void> {
  if (drivers.length === 0) return;
  const node = await client.get(nodes, { name: nodeName });
  const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid: uidOf(node) };
  for (const { driver, devices } of drivers) {
    const name = `${nodeName}-${driver}`;
    const slice: ResourceSlice = {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceSlice",
      metadata: {
        name,
        ownerReferences: [{ ...owner, controller: true }],
      },
      spec: {
        driver,
        nodeName,
        pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
        devices,
      },
    };
    await publish(client, name, slice);
  }
}

/** One from before the last start has what the file said then. A node may read only what there is of its own. */
async function publish(client: Client, name: string, slice: ResourceSlice): Promise<void> {
  try {
    await client.create(resourceSlices, slice);
  } catch (error) {
    if (!hasReason(error, "AlreadyExists")) throw error;
    const known = await client.get(resourceSlices, { name });
    if (JSON.stringify(known.spec.devices) === JSON.stringify(slice.spec.devices)) return;
    const generation = known.spec.pool.generation + 1;
    const spec = { ...slice.spec, pool: { ...slice.spec.pool, generation } };
    await client.update(resourceSlices, { ...known, spec });
  }
}
