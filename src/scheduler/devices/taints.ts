import type { Device, DeviceToleration } from "#api/generated/types.ts";
import { toleratesDeviceTaint } from "#reconcile/device-taints.ts";

/** Whether a taint of the device keeps claims without the right toleration away. */
export function isKeptAway(
  { taints = [] }: Device,
  tolerations: readonly DeviceToleration[] = [],
): boolean {
  return taints.some(
    (taint) =>
      (taint.effect === "NoSchedule" || taint.effect === "NoExecute") &&
      !tolerations.some((toleration) => toleratesDeviceTaint(toleration, taint)),
  );
}
