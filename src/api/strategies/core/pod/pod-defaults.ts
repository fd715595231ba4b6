import type { Pod, PodSpec, PodTemplateSpec } from "#api/generated/types.ts";
import { fillContainer } from "#api/strategies/core/pod/container-defaults.ts";
import { fillVolume } from "#api/strategies/core/pod/volume-defaults.ts";
import type { ResourceAmounts } from "#api/strategies/core/resource-list.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { type Filling, itemsOf, objectIn, setWhereUnset } from "#api/validation/given.ts";

type Spec = Filling<PodSpec>;

/** What pods get and pod templates do not: anything added to templates would roll out all existing workloads. */
export function fillPod(pod: Filling<Pod>): void {
  const spec = objectIn(pod, "spec");
  fillPodSpec(spec);
  for (const container of allContainers(spec)) requestLimits(container.resources);
  fillPodLevelRequests(spec);
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

/** Limits of the whole pod stand for its requests where no container asks for that resource. */
function fillPodLevelRequests(spec: Spec): void {
  const limits = spec.resources?.limits as ResourceAmounts | null | undefined;
  if (!spec.resources || !limits) return;
  const requests: ResourceAmounts = { ...(spec.resources.requests as ResourceAmounts) };
  const requestedByContainers = new Set(
    allContainers(spec).flatMap((container) => Object.keys(container.resources?.requests ?? {})),
  );
  for (const [name, amount] of Object.entries(limits)) {
    if (!requestedByContainers.has(name)) requests[name] ??= amount;
  }
  if (Object.keys(requests).length > 0) spec.resources.requests = requests;
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
