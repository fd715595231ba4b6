import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PodSpec,
  Volume,
} from "#api/generated/types.ts";
import { checkEnvironment } from "#api/strategies/core/pod/environment.ts";
import { checkMounts } from "#api/strategies/core/pod/mounts.ts";
import { checkLifecycle, checkProbes } from "#api/strategies/core/pod/probes.ts";
import { checkResources } from "#api/strategies/core/pod/resources.ts";
import { checkContainerSecurity } from "#api/strategies/core/pod/security.ts";
import {
  checkLabelName,
  checkOneOf,
  checkOneOfIfSet,
  checkUnique,
} from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { portNameProblems, portNumberProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

/** What the checks of a container need to know of its pod. */
export interface PodContext {
  readonly volumes: readonly Given<Volume>[];
  readonly claimNames: ReadonlySet<string>;
  readonly gracePeriodSeconds: number | undefined;
  readonly restartPolicy: string;
  readonly isPod: boolean;
}

type Spec = Given<PodSpec>;

export function checkContainers(field: Field, spec: Spec, context: PodContext): void {
  const containers = itemsOf(spec.containers);
  if (containers.length === 0) return field.required();
  for (const [index, container] of containers.entries()) {
    const at = field.index(index);
    checkContainer(at, container, context);
    checkLifecycle(at.child("lifecycle"), container.lifecycle, context.gracePeriodSeconds);
    checkProbes(at, container);
    checkRestartPolicy(at.child("restartPolicy"), container);
  }
  checkUnique(
    containers,
    (container) => container.name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
  checkHostPorts(field, containers);
}

export function checkInitContainers(field: Field, spec: Spec, context: PodContext): void {
  const taken = new Set(itemsOf(spec.containers).map((container) => container.name));
  for (const [index, container] of itemsOf(spec.initContainers).entries()) {
    const at = field.index(index);
    checkContainer(at, container, context);
    if (container.name && taken.has(container.name)) at.child("name").duplicate(container.name);
    taken.add(container.name);
    checkHostPorts(field, [container]);
    checkRestartPolicy(at.child("restartPolicy"), container);
    if (container.restartPolicy === "Always") {
      checkLifecycle(at.child("lifecycle"), container.lifecycle, context.gracePeriodSeconds);
      checkProbes(at, container);
      continue;
    }
    for (const name of sidecarFields) {
      if (container[name]) {
        const rule = "may not be set for init containers without restartPolicy=Always";
        at.child(name).forbidden(rule);
      }
    }
  }
}

const sidecarFields = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const;

export function checkEphemeralContainers(field: Field, spec: Spec, context: PodContext): void {
  const others = [...itemsOf(spec.containers), ...itemsOf(spec.initContainers)];
  const targets = new Set(others.map((container) => container.name));
  const taken = new Set(targets);
  for (const [index, container] of itemsOf(spec.ephemeralContainers).entries()) {
    const at = field.index(index);
    checkContainer(at, container as Given<Container>, context);
    if (taken.has(container.name)) at.child("name").duplicate(container.name ?? "");
    taken.add(container.name);
    const target = container.targetContainerName;
    if (target && !targets.has(target)) at.child("targetContainerName").notFound(target);
    checkEphemeralFields(at, container);
  }
}

/** A debugging container is no part of the workload: what would make it one is refused. */
function checkEphemeralFields(field: Field, container: Given<EphemeralContainer>): void {
  const refusal = "cannot be set for an Ephemeral Container";
  for (const name of workloadFields) {
    const value = container[name];
    if (value && Object.keys(value).length > 0) field.child(name).forbidden(refusal);
  }
  for (const [index, mount] of itemsOf(container.volumeMounts).entries()) {
    const at = field.child("volumeMounts").index(index);
    if (mount.subPath) at.child("subPath").forbidden(refusal);
    if (mount.subPathExpr) at.child("subPathExpr").forbidden(refusal);
  }
}

const workloadFields = [
  "ports",
  "resources",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resizePolicy",
  "restartPolicy",
] as const;

function checkContainer(field: Field, container: Given<Container>, context: PodContext): void {
  checkLabelName(field.child("name"), container.name);
  const image = container.image ?? "";
  if (image === "") field.child("image").required();
  if (context.isPod && image !== image.trim()) {
    field.child("image").invalid(image, "must not have leading or trailing whitespace");
  }
  checkOneOf(field.child("terminationMessagePolicy"), container.terminationMessagePolicy, [
    "File",
    "FallbackToLogsOnError",
  ]);
  checkPorts(field.child("ports"), itemsOf(container.ports));
  checkEnvironment(field, container);
  checkMounts(field, container, context.volumes);
  checkOneOf(field.child("imagePullPolicy"), container.imagePullPolicy, [
    "Always",
    "IfNotPresent",
    "Never",
  ]);
  checkResources(field.child("resources"), container.resources, context.claimNames);
  checkResizePolicy(field.child("resizePolicy"), container, context.restartPolicy);
  checkContainerSecurity(field.child("securityContext"), container.securityContext);
}

function checkPorts(field: Field, ports: readonly Given<ContainerPort>[]): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = field.index(index);
    if (port.name) {
      const problems = portNameProblems(port.name);
      at.child("name").invalidAll(port.name, problems);
      if (problems.length === 0 && names.has(port.name)) at.child("name").duplicate(port.name);
      names.add(port.name);
    }
    if (!port.containerPort) at.child("containerPort").required();
    else {
      const problems = portNumberProblems(port.containerPort);
      at.child("containerPort").invalidAll(port.containerPort, problems);
    }
    if (port.hostPort)
      at.child("hostPort").invalidAll(port.hostPort, portNumberProblems(port.hostPort));
    checkOneOf(at.child("protocol"), port.protocol, ["SCTP", "TCP", "UDP"]);
  }
}

function checkHostPorts(field: Field, containers: readonly Given<Container>[]): void {
  const taken = new Set<string>();
  for (const [index, container] of containers.entries()) {
    for (const [nth, port] of itemsOf(container.ports).entries()) {
      if (!port.hostPort) continue;
      const binding = `${port.protocol ?? ""}/${port.hostIP ?? ""}/${port.hostPort}`;
      const at = field.index(index).child("ports").index(nth).child("hostPort");
      if (taken.has(binding)) at.duplicate(binding);
      taken.add(binding);
    }
  }
}

/** A container's own restart policy, with rules by exit code where it has one. */
function checkRestartPolicy(field: Field, container: Given<Container>): void {
  checkOneOfIfSet(field, container.restartPolicy, ["Always", "OnFailure", "Never"]);
}

function checkResizePolicy(
  field: Field,
  container: Given<Container>,
  podRestartPolicy: string,
): void {
  const policies = itemsOf(container.resizePolicy);
  checkUnique(
    policies,
    (policy) => policy.resourceName ?? "",
    (index, name) => field.index(index).duplicate(name),
  );
  for (const { resourceName, restartPolicy } of policies) {
    checkOneOf(field, resourceName, ["cpu", "memory"]);
    checkOneOf(field, restartPolicy, ["NotRequired", "RestartContainer"]);
    if (podRestartPolicy === "Never" && restartPolicy !== "NotRequired") {
      field.invalid(restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
    }
  }
}
