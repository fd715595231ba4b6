import type { Device, DeviceTaint, DeviceToleration } from "#api/generated/types.ts";

/** Whether a taint of the device keeps claims without the right toleration away. */
export function isKeptAway(
  { taints = [] }: Device,
  tolerations: readonly DeviceToleration[] = [],
): boolean {
  return taints.some(
    (taint) =>
      (taint.effect === "NoSchedule" || taint.effect === "NoExecute") &&
      !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}

function tolerates(toleration: DeviceToleration, taint: DeviceTaint): boolean {
  const { effect, key, operator = "Equal", value = "" } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  return operator === "Exists" || (operator === "Equal" && value === (taint.value ?? ""));
}
