import type { JsonObject } from "#api/kind.ts";
import type { HookedWrite } from "#apiserver/hooks/resource-hooks.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { rfc3339 } from "#base/clock.ts";

/**
 * Taints of a slice's devices that do not say when they came came now, or when the slice first had them: so a driver
 * that writes its slices anew does not give pods more time. (Upstream's defaulting does, against its documentation.)
 */
export function dateDeviceTaints({ server, object, old }: HookedWrite): () => void {
  const spec = objectAt(object, "spec");
  const devices = objectsAt(spec, "devices");
  if (devices.some((device) => objectsAt(device, "taints").some(isUndated))) {
    const now = rfc3339(server.clock.now());
    const known = objectsAt(objectAt(old, "spec"), "devices");
    object.spec = { ...spec, devices: devices.map((device) => dated(device, known, now)) };
  }
  return () => {};
}

function dated(device: JsonObject, known: readonly JsonObject[], now: string): JsonObject {
  const taints = objectsAt(device, "taints");
  if (!taints.some(isUndated)) return device;
  const before = objectsAt(
    known.find(({ name }) => name === device.name),
    "taints",
  );
  const timeOf = (taint: JsonObject): string =>
    stringAt(
      before.find((one) => isSameTaint(one, taint)),
      "timeAdded",
    ) || now;
  return {
    ...device,
    taints: taints.map((taint) =>
      isUndated(taint) ? { ...taint, timeAdded: timeOf(taint) } : taint,
    ),
  };
}

function isUndated(taint: JsonObject): boolean {
  return stringAt(taint, "timeAdded") === "";
}

function isSameTaint(one: JsonObject, other: JsonObject): boolean {
  return ["key", "value", "effect"].every((name) => stringAt(one, name) === stringAt(other, name));
}
