import type { Container, Pod, ResourceHealth, ResourceStatus } from "#api/generated/types.ts";
import type { ClaimRecord } from "#agent/dynamic-resources/claim-checkpoint.ts";
import { claimsOf } from "#agent/dynamic-resources/claims-of-pod.ts";
import type { DeviceHealth } from "#agent/dynamic-resources/device-health.ts";

export interface ClaimStatusParts {
  readonly pod: Pod;
  readonly container: Container;
  /** What is known here of a claim of the pod's namespace. */
  readonly record: (claim: string) => ClaimRecord | undefined;
  readonly health: Pick<DeviceHealth, "of">;
}

/** How well the devices of a container's claims are: an entry for each claim, or request of one, that it uses. */
export function claimStatuses(parts: ClaimStatusParts): readonly ResourceStatus[] {
  const { pod, container, record } = parts;
  const used = container.resources?.claims ?? [];
  if (used.length === 0) return [];
  return used.flatMap(({ name, request = "" }) => {
    const claim = namesIn(pod).get(name);
    const known = claim === undefined ? undefined : record(claim);
    if (known === undefined) return [];
    const resources = healthsOf(known, request, parts.health);
    if (resources.length === 0) return [];
    return [{ name: request === "" ? `claim:${name}` : `claim:${name}/${request}`, resources }];
  });
}

function namesIn(pod: Pod): ReadonlyMap<string, string> {
  try {
    return new Map(claimsOf(pod).map(({ key, name }) => [key, name]));
  } catch {
    // A claim is not made yet: nothing of the pod is prepared.
    return new Map();
  }
}

function healthsOf(
  { drivers }: ClaimRecord,
  request: string,
  health: Pick<DeviceHealth, "of">,
): readonly ResourceHealth[] {
  const [base = ""] = request.split("/");
  const found = new Map<string, ResourceHealth>();
  for (const [driver, devices] of Object.entries(drivers)) {
    for (const { requestNames, poolName, deviceName, cdiDeviceIds } of devices) {
      if (request !== "" && requestNames.length > 0 && !requestNames.includes(base)) continue;
      const resourceID = cdiDeviceIds[0] ?? `${driver}/${poolName}/${deviceName}`;
      const known = health.of(driver, `${poolName}/${deviceName}`);
      const message = known.message === "" ? {} : { message: known.message };
      if (!found.has(resourceID))
        found.set(resourceID, { health: known.health, resourceID, ...message });
    }
  }
  return [...found.values()];
}
