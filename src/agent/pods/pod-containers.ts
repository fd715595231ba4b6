import type { Container, ContainerRestartRule, Pod } from "#api/generated/types.ts";

/** How a container of a pod is treated: a sidecar is an init container that is restarted always. */
export type ContainerRole = "init" | "sidecar" | "app" | "ephemeral";

export interface PodContainer {
  readonly role: ContainerRole;
  readonly spec: Container;
}

/** All containers of a pod in the order in which they start. */
export function podContainers(pod: Pod): readonly PodContainer[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [
    ...initContainers.map((spec) => ({ role: initRole(spec), spec })),
    ...containers.map((spec) => ({ role: "app" as const, spec })),
    ...ephemeralContainers.map((spec) => ({ role: "ephemeral" as const, spec })),
  ];
}

export function findContainer(pod: Pod, name: string): PodContainer | undefined {
  return podContainers(pod).find(({ spec }) => spec.name === name);
}

/** `spec.containers{web}`: where an event about a container points. */
export function fieldPathOf({ role, spec }: PodContainer): string {
  const list = {
    init: "initContainers",
    sidecar: "initContainers",
    app: "containers",
    ephemeral: "ephemeralContainers",
  };
  return `spec.${list[role]}{${spec.name}}`;
}

/** Whether a container that ended with this code is to run again. */
export function isRestarted(pod: Pod, { role, spec }: PodContainer, exitCode: number): boolean {
  if (role === "ephemeral") return false;
  if (matchingRule(spec, exitCode) !== undefined) return true;
  if (role === "sidecar") return true;
  const policy = spec.restartPolicy ?? pod.spec?.restartPolicy ?? "Always";
  if (role === "init") return exitCode !== 0 && policy !== "Never";
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** Whether the end of this container asks for all of the pod to begin anew. */
export function restartsAll({ spec }: PodContainer, exitCode: number): boolean {
  return matchingRule(spec, exitCode)?.action === "RestartAllContainers";
}

/** The first of a container's own rules for its exit code. */
function matchingRule(spec: Container, exitCode: number): ContainerRestartRule | undefined {
  return spec.restartPolicyRules?.find(({ exitCodes }) => {
    const isListed = exitCodes?.values?.includes(exitCode) ?? false;
    return exitCodes?.operator === "NotIn" ? !isListed : exitCodes?.operator === "In" && isListed;
  });
}

function initRole(spec: Container): ContainerRole {
  return spec.restartPolicy === "Always" ? "sidecar" : "init";
}
