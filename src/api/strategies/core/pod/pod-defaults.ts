import type { Pod, PodSpec, PodTemplateSpec } from "#api/generated/types.ts";
import { writeAmounts } from "#api/quota/amounts.ts";
import { isPodLevelResource } from "#api/quota/pod-amounts.ts";
import { fillContainer } from "#api/strategies/core/pod/container-defaults.ts";
import { containersTogether } from "#api/strategies/core/pod/resources.ts";
import { fillVolume } from "#api/strategies/core/pod/volume-defaults.ts";
import type { ResourceAmounts } from "#api/strategies/core/resource-list.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { type Filling, isEmpty, itemsOf, objectIn, setWhereUnset } from "#api/validation/given.ts";

type Spec = Filling<PodSpec>;

/** What pods get and pod templates do not: anything added to templates would roll out all existing workloads. */
export function fillPod(pod: Filling<Pod>): void {
  const spec = objectIn(pod, "spec");
  fillPodSpec(spec);
  for (const container of allContainers(spec)) requestLimits(container.resources);
  fillPodLevel(spec);
  setWhereUnset(spec, { enableServiceLinks: true });
  if (spec.hostNetwork) useContainerPortsOnHost(spec);
}

export function fillPodTemplate(template: Filling<PodTemplateSpec> | null | undefined): void {
  if (template) fillPodSpec(objectIn(template, "spec"));
}

function fillPodSpec(spec: Spec): void {
  setWhereUnset(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
  });
  spec.securityContext ??= {};
  nameServiceAccountTwice(spec);
  for (const container of allContainers(spec)) fillContainer(container);
  for (const container of spec.ephemeralContainers ?? []) if (container) fillContainer(container);
  for (const volume of spec.volumes ?? []) if (volume) fillVolume(volume);
  roundAmounts(spec.overhead);
  roundAmounts(spec.resources?.limits);
  roundAmounts(spec.resources?.requests);
}

/** Old clients read and write the field's first name. */
function nameServiceAccountTwice(spec: Spec): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (!name) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function requestLimits(
  resources:
    | { limits?: ResourceAmounts | null; requests?: ResourceAmounts | null }
    | null
    | undefined,
): void {
  if (resources?.limits) resources.requests = { ...resources.limits, ...resources.requests };
}

/**
 * What the whole pod is to have, where that is said in part: limits of huge pages and requests are those of its
 * containers together, else requests are its limits.
 */
function fillPodLevel(spec: Spec): void {
  const { resources } = spec;
  if (!resources) return;
  const asked = (side: "limits" | "requests"): ResourceAmounts => ({
    ...(resources[side] as ResourceAmounts | null | undefined),
  });
  const together = (side: "limits" | "requests"): ResourceAmounts =>
    writeAmounts(containersTogether(spec, side)) as ResourceAmounts;
  const [limits, requests] = [asked("limits"), asked("requests")];
  if (isEmpty(limits) && isEmpty(requests)) return;
  for (const [name, amount] of Object.entries(together("limits"))) {
    if (name.startsWith("hugepages-") && requests[name] === undefined) limits[name] ??= amount;
  }
  if (isEmpty(limits)) return;
  resources.limits = limits;
  for (const [name, amount] of Object.entries(together("requests"))) {
    if (name === "cpu" || name === "memory") requests[name] ??= amount;
  }
  for (const [name, amount] of Object.entries(limits)) {
    if (isPodLevelResource(name)) requests[name] ??= amount;
  }
  if (!isEmpty(requests)) resources.requests = requests;
}

function useContainerPortsOnHost(spec: Spec): void {
  for (const container of allContainers(spec)) {
    for (const port of container.ports ?? []) {
      if (port && !port.hostPort && port.containerPort) port.hostPort = port.containerPort;
    }
  }
}

function allContainers(spec: Spec) {
  return [...itemsOf(spec.containers), ...itemsOf(spec.initContainers)];
}
