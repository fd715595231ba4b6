import type { DeviceTaint, DeviceToleration } from "#api/generated/types.ts";

/** Whether a claim's toleration covers a device's taint, as upstream's `resourceclaim.ToleratesTaint`. */
export function toleratesDeviceTaint(toleration: DeviceToleration, taint: DeviceTaint): boolean {
  const { effect, key, operator = "Equal", value = "" } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  return operator === "Exists" || (operator === "Equal" && value === (taint.value ?? ""));
}
