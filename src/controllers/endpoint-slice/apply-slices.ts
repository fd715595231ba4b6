import { placeOf } from "#api/meta.ts";
import { endpointSlices } from "#api/resources.ts";
import { ifFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import type { SlicePlan } from "#controllers/endpoint-slice/plan-endpoint-slices.ts";
import { isNamespaceTerminating } from "#controllers/pods/pod-control.ts";

/** Does what the plan says. In a namespace that is being deleted nothing comes into being, and nothing need. */
export async function applySlices(
  client: Client,
  plan: SlicePlan,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const slice of plan.create) await client.create(endpointSlices, slice, { signal });
    for (const slice of plan.update) await client.update(endpointSlices, slice, { signal });
    for (const slice of plan.delete) {
      await ifFound(client.delete(endpointSlices, placeOf(slice), { signal }));
    }
  } catch (error) {
    if (!isNamespaceTerminating(error)) throw error;
  }
}
