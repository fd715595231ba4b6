import type { Pod } from "#api/generated/types.ts";
import { placeOf } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import { rfc3339, type Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";

/** Says in the pod's status why it is about to be deleted; `phase` ends it. */
export async function markDisrupted(
  { client, clock, signal }: { client: Client; clock: Clock; signal: AbortSignal },
  pod: Pod,
  why: { readonly reason: string; readonly message: string; readonly phase?: string },
): Promise<void> {
  const { phase, ...rest } = why;
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    ...rest,
    lastTransitionTime: rfc3339(clock.now()),
  };
  const status = { conditions: [condition], ...(phase && { phase }) };
  const value = { metadata: { uid: pod.metadata.uid }, status };
  const options = { subresource: "status", signal };
  await client.patch(pods, placeOf(pod), { kind: "strategic", value }, options);
}
