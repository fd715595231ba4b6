import type {
  PersistentVolumeClaim,
  Pod,
  ResourceV1ResourceClaim,
  Service,
} from "#api/generated/types.ts";
import type { Quantity } from "#api/quantity.ts";
import {
  addAmounts,
  largerOf,
  readAmounts,
  whole,
  zero,
  type Amounts,
} from "#api/quota/amounts.ts";
import { deviceUsage, devicesSuffix } from "#api/quota/device-usage.ts";
import { isPodLevelResource, podAmounts } from "#api/quota/pod-amounts.ts";

/** A resource as quotas know it: `pods`, `deployments.apps`. */
export interface Counted {
  readonly group: string;
  readonly resource: string;
}

/** `count/pods`, `count/deployments.apps`. */
export function countName({ group, resource }: Counted): string {
  return group === "" ? `count/${resource}` : `count/${resource}.${group}`;
}

/** The names of a quota that objects of this resource use up, of those given. */
export function namesFor(counted: Counted, names: Iterable<string>): string[] {
  const count = countName(counted);
  const uses = isDeviceClaim(counted)
    ? (name: string) => name.endsWith(devicesSuffix)
    : usedNames[counted.group === "" ? counted.resource : ""];
  return [...names].filter((name) => name === count || uses?.(name) === true);
}

const deviceClaims: Counted = { group: "resource.k8s.io", resource: "resourceclaims" };

function isDeviceClaim({ group, resource }: Counted): boolean {
  return group === deviceClaims.group && resource === deviceClaims.resource;
}

/** What one object uses up, in upstream's names: more than any one quota asks for. */
export function usageOf(counted: Counted, object: object, nowMs: number): Amounts {
  const count = new Map([[countName(counted), whole(1)]]);
  if (isDeviceClaim(counted))
    return addAmounts(count, deviceUsage(object as ResourceV1ResourceClaim));
  if (counted.group !== "") return count;
  switch (counted.resource) {
    case "pods":
      return addAmounts(count, podUsage(object as Pod, nowMs));
    case "services":
      return addAmounts(count, serviceUsage(object as Service));
    case "persistentvolumeclaims":
      return addAmounts(count, claimUsage(object as PersistentVolumeClaim));
    default:
      return plainlyCounted.has(counted.resource) ? count.set(counted.resource, whole(1)) : count;
  }
}

/** Counted under their bare names as well, as before there was `count/`. */
const plainlyCounted: ReadonlySet<string> = new Set([
  "configmaps",
  "resourcequotas",
  "replicationcontrollers",
  "secrets",
]);

/** The resource that a quota's name counts, as `pods` or `deployments.apps`; undefined where it is not one. */
export function countedBy(name: string): Counted | undefined {
  if (name.startsWith("count/")) {
    const [resource = "", ...group] = name.slice("count/".length).split(".");
    return { group: group.join("."), resource };
  }
  if (name.endsWith(devicesSuffix)) return deviceClaims;
  const resource = [...plainlyCounted, ...Object.keys(usedNames)].find(
    (one) => one === name || usedNames[one]?.(name) === true,
  );
  return resource === undefined ? undefined : { group: "", resource };
}

const usedNames: Readonly<Record<string, (name: string) => boolean>> = {
  pods: (name) =>
    podNames.has(name) ||
    name.startsWith("hugepages-") ||
    name.startsWith("requests.hugepages-") ||
    isExtended(name),
  services: (name) =>
    name === "services" || name === "services.nodeports" || name === "services.loadbalancers",
  persistentvolumeclaims: (name) =>
    claimNames.some((one) => name === one || name.endsWith(classSuffix + one)),
  ...Object.fromEntries(
    [...plainlyCounted].map((resource) => [resource, (name: string) => name === resource]),
  ),
};

const podNames: ReadonlySet<string> = new Set([
  "pods",
  ...["cpu", "memory", "ephemeral-storage"].flatMap((name) => [
    name,
    `requests.${name}`,
    `limits.${name}`,
  ]),
]);
const claimNames = ["persistentvolumeclaims", "requests.storage"];
const classSuffix = ".storageclass.storage.k8s.io/";

/** `requests.nvidia.com/gpu`; names under `kubernetes.io/` are the system's own. */
function isExtended(name: string): boolean {
  if (!name.startsWith("requests.")) return false;
  return isExtendedResource(name.slice("requests.".length));
}

/** A resource that is not the system's own: `nvidia.com/gpu`. */
export function isExtendedResource(name: string): boolean {
  return name.includes("/") && !name.split("/")[0]?.endsWith("kubernetes.io");
}

function podUsage(pod: Pod, nowMs: number): Amounts {
  if (!isTakingRoom(pod, nowMs)) return new Map();
  const counted = {
    overhead: true,
    status: true,
    podLevel: isPodLevelResource,
  };
  const [requests, limits] = [
    podAmounts(pod, "requests", counted),
    podAmounts(pod, "limits", counted),
  ];
  return namedForQuota(requests, limits).set("pods", whole(1));
}

/** The amounts of requests and limits under the names that quotas have for them. */
export function namedForQuota(requests: Amounts, limits: Amounts): Map<string, Quantity> {
  const named = new Map<string, Quantity>();
  for (const [name, quantity] of requests) {
    const own = measured.has(name) || name.startsWith("hugepages-");
    if (own) named.set(name, quantity);
    if (own || isExtendedResource(name)) named.set(`requests.${name}`, quantity);
  }
  for (const [name, quantity] of limits) {
    if (measured.has(name)) named.set(`limits.${name}`, quantity);
  }
  return named;
}

const measured: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

/** A pod that has ended, or that should be gone by now, takes no room on a node. */
function isTakingRoom({ metadata, status }: Pod, nowMs: number): boolean {
  if (status?.phase === "Failed" || status?.phase === "Succeeded") return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return nowMs <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1_000;
}

function serviceUsage({ spec }: Service): Amounts {
  const ports = spec?.ports ?? [];
  const balanced = spec?.type === "LoadBalancer";
  const chosen = balanced && spec.allocateLoadBalancerNodePorts === false;
  const onNodes = chosen
    ? ports.filter(({ nodePort }) => (nodePort ?? 0) !== 0).length
    : balanced || spec?.type === "NodePort"
      ? ports.length
      : 0;
  return new Map([
    ["services", whole(1)],
    ["services.nodeports", whole(onNodes)],
    ["services.loadbalancers", whole(balanced ? 1 : 0)],
  ]);
}

function claimUsage({ metadata, spec, status }: PersistentVolumeClaim): Amounts {
  const asked = readAmounts(spec?.resources?.requests).get("storage");
  const given = readAmounts(status?.allocatedResources).get("storage");
  const storage = asked && roundedUp(given === undefined ? asked : larger(asked, given));
  const usage = new Map([["persistentvolumeclaims", whole(1)]]);
  if (storage !== undefined) usage.set("requests.storage", storage);
  const storageClass =
    metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName;
  if (!storageClass) return usage;
  const ofClass = [...usage].map(
    ([name, quantity]) => [storageClass + classSuffix + name, quantity] as const,
  );
  return new Map([...usage, ...ofClass]);
}

function larger(left: Quantity, right: Quantity): Quantity {
  return largerOf(new Map([["", left]]), new Map([["", right]])).get("") ?? zero;
}

/** To whole bytes. */
function roundedUp({ nano, format }: Quantity): Quantity {
  const one = 1_000_000_000n;
  return { nano: ((nano + one - 1n) / one) * one, format };
}
