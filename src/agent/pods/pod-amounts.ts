import type { Container, Pod } from "#api/generated/types.ts";
import { parseQuantity } from "#api/quantity.ts";

type Kind = "requests" | "limits";

/**
 * What a pod asks for, or may take, of a resource, in billionths: what is set for the pod itself, else its app
 * containers and sidecars together or its largest init container with the sidecars before it; and the pod's overhead.
 * Undefined where nothing of it is set.
 */
export function podAmount(pod: Pod, kind: Kind, resource: string): bigint | undefined {
  const { resources, containers = [], initContainers = [], overhead } = pod.spec ?? {};
  const own = resources?.[kind]?.[resource];
  const amount =
    own === undefined ? sumOf([initContainers, containers], kind, resource) : nano(own);
  if (amount === undefined) return undefined;
  return amount + nano(overhead?.[resource] ?? "0");
}

/** Whether every container that runs for long says how much it may take, so that the pod as a whole has a limit. */
export function isLimited(pod: Pod, resource: string): boolean {
  const { resources, containers = [], initContainers = [] } = pod.spec ?? {};
  if (resources?.limits?.[resource] !== undefined) return true;
  return [...containers, ...initContainers].every(
    (container) => container.resources?.limits?.[resource] !== undefined,
  );
}

export function amountOf(container: Container, kind: Kind, resource: string): bigint | undefined {
  const { limits, requests } = container.resources ?? {};
  const text =
    kind === "limits" ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource]);
  return text === undefined ? undefined : nano(text);
}

function sumOf(
  [inits, apps]: readonly [readonly Container[], readonly Container[]],
  kind: Kind,
  resource: string,
): bigint | undefined {
  const all = [...inits, ...apps].map((container) => amountOf(container, kind, resource));
  if (all.every((amount) => amount === undefined)) return undefined;
  let sidecars = 0n;
  let largest = 0n;
  for (const container of inits) {
    const amount = amountOf(container, kind, resource) ?? 0n;
    if (container.restartPolicy === "Always") sidecars += amount;
    const together = container.restartPolicy === "Always" ? sidecars : sidecars + amount;
    if (together > largest) largest = together;
  }
  const running = apps.reduce(
    (sum, container) => sum + (amountOf(container, kind, resource) ?? 0n),
    sidecars,
  );
  return running > largest ? running : largest;
}

function nano(text: string): bigint {
  return parseQuantity(text).nano;
}
