import type { CustomResourceDefinitionVersion } from "#api/generated/types.ts";
import type { ScalePaths } from "#api/kind.ts";
import { simplePathOf } from "#api/custom/json-path.ts";

/** Where a version keeps what its scale subresource shows. Paths with anything but fields were refused. */
export function scalePathsOf(version: CustomResourceDefinitionVersion): ScalePaths | undefined {
  const scale = version.subresources?.scale;
  const specReplicas = simplePathOf(scale?.specReplicasPath ?? "");
  const statusReplicas = simplePathOf(scale?.statusReplicasPath ?? "");
  const labelSelector = simplePathOf(scale?.labelSelectorPath ?? "");
  if (specReplicas === undefined || statusReplicas === undefined) return undefined;
  return { specReplicas, statusReplicas, ...(labelSelector && { labelSelector }) };
}
