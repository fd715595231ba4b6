import type { Pod, StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { checkPodSpec } from "#api/strategies/core/pod/pod-spec.ts";
import { differences, sameMeaning } from "#api/validation/equality.ts";
import { causesOf } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

/** An update of `pods/ephemeralcontainers`: debugging containers are added, never changed or removed. */
export function validateEphemeralContainersUpdate(
  object: JsonObject,
  old: JsonObject,
): readonly StatusCause[] {
  const pod = object as Given<Pod>;
  const before = old as Given<Pod>;
  return causesOf((root) => {
    checkPodSpec(root.child("spec"), pod.spec ?? {}, { isPod: true });
    if (isMirror(before)) {
      return root.index("").forbidden("static pods do not support ephemeral containers");
    }
    const field = root.child("spec", "ephemeralContainers");
    const now = new Map(
      itemsOf(pod.spec?.ephemeralContainers).map((container) => [container.name, container]),
    );
    for (const container of itemsOf(before.spec?.ephemeralContainers)) {
      const name = JSON.stringify(container.name ?? "");
      const current = now.get(container.name);
      if (!current) field.forbidden(`existing ephemeral containers ${name} may not be removed\n`);
      else if (!sameMeaning(current, container)) {
        const changes = differences(container, current, container.name ?? "").join("\n");
        field.forbidden(`existing ephemeral containers ${name} may not be changed\n${changes}`);
      }
    }
  });
}

function isMirror(pod: Given<Pod>): boolean {
  return pod.metadata?.annotations?.["kubernetes.io/config.mirror"] !== undefined;
}
