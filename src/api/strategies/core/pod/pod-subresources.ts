import type { Container, Pod, StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { checkPodSpec } from "#api/strategies/core/pod/pod-spec.ts";
import { qualityOfService } from "#api/strategies/core/pod/quality-of-service.ts";
import { differences, sameMeaning } from "#api/validation/equality.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import { type Given, isEmpty, itemsOf } from "#api/validation/given.ts";
import { nanosOf } from "#api/validation/quantity.ts";

type Resources = Given<Container>["resources"];

/** An update of `pods/ephemeralcontainers`: debugging containers are added, never changed or removed. */
export function validateEphemeralContainersUpdate(
  object: JsonObject,
  old: JsonObject,
): readonly StatusCause[] {
  const pod = object as Given<Pod>;
  const before = old as Given<Pod>;
  return causesOf((root) => {
    checkPodSpec(root.child("spec"), pod.spec ?? {}, { isPod: true });
    if (isMirror(before)) return root.forbidden("static pods do not support ephemeral containers");
    const field = root.child("spec", "ephemeralContainers");
    const now = new Map(
      itemsOf(pod.spec?.ephemeralContainers).map((container) => [container.name, container]),
    );
    for (const container of itemsOf(before.spec?.ephemeralContainers)) {
      const name = JSON.stringify(container.name ?? "");
      const current = now.get(container.name);
      if (!current) field.forbidden(`existing ephemeral containers ${name} may not be removed\n`);
      else if (!sameMeaning(current, container)) {
        const changes = differences(container, current, container.name ?? "").join("\n");
        field.forbidden(`existing ephemeral containers ${name} may not be changed\n${changes}`);
      }
    }
  });
}

/** An update of `pods/resize`: cpu and memory of running containers, within their class of service. */
export function validateResize(object: JsonObject, old: JsonObject): readonly StatusCause[] {
  const pod = object as Given<Pod>;
  const before = old as Given<Pod>;
  return causesOf((root) => {
    checkPodSpec(root.child("spec"), pod.spec ?? {}, { isPod: true });
    if (isMirror(before)) return root.forbidden("static pods cannot be resized");
    if (before.spec?.os?.name === "windows")
      return root.forbidden("windows pods cannot be resized");
    const field = root.child("spec");
    const quality = before.status?.qosClass ?? qualityOfService(before.spec);
    if (qualityOfService(pod.spec) !== quality) {
      field.invalid(quality, "Pod QOS Class may not change as a result of resizing");
    }
    for (const name of ["containers", "initContainers"] as const) {
      checkContainersResize(field.child(name), pod.spec?.[name], before.spec?.[name]);
    }
    const { spec } = pod;
    const rest = {
      ...spec,
      containers: before.spec?.containers,
      initContainers: before.spec?.initContainers,
    };
    if (!sameMeaning(rest, before.spec)) {
      field.forbidden("only cpu and memory resources are mutable");
    }
  });
}

function checkContainersResize(
  field: Field,
  containers: readonly Given<Container>[] | null | undefined,
  before: readonly Given<Container>[] | null | undefined,
): void {
  const now = itemsOf(containers);
  const then = itemsOf(before);
  if (now.length !== then.length) {
    return field.forbidden("pod updates may not add or remove containers");
  }
  for (const [index, old] of then.entries()) {
    const container = now[index] ?? {};
    checkResize(field.index(index).child("resources"), container, old);
    const rest = {
      ...container,
      resources: withoutCpuAndMemory(container.resources),
      resizePolicy: old.resizePolicy,
    };
    if (!sameMeaning(rest, { ...old, resources: withoutCpuAndMemory(old.resources) })) {
      field.index(index).forbidden("only cpu and memory resources are mutable");
    }
  }
}

function checkResize(field: Field, container: Given<Container>, old: Given<Container>): void {
  for (const name of ["requests", "limits"] as const) {
    const left = container.resources?.[name] ?? {};
    const lost = Object.keys(old.resources?.[name] ?? {}).some((resource) => !(resource in left));
    if (lost) field.child(name).forbidden(`resource ${name} cannot be removed`);
  }
  const restarts = itemsOf(container.resizePolicy).some(
    (policy) => policy.resourceName === "memory" && policy.restartPolicy === "RestartContainer",
  );
  const limit = nanosOf(container.resources?.limits?.["memory"]);
  const before = nanosOf(old.resources?.limits?.["memory"]);
  if (restarts || limit === undefined) return;
  const memory = field.child("limits").key("memory");
  if (before === undefined) {
    memory.forbidden("memory limits cannot be added unless resizePolicy is RestartContainer");
  } else if (limit < before) {
    memory.forbidden("memory limits cannot be decreased unless resizePolicy is RestartContainer");
  }
}

function withoutCpuAndMemory(resources: Resources): object {
  const others = (amounts: { readonly [name: string]: string } | null | undefined): object =>
    Object.fromEntries(
      Object.entries(amounts ?? {}).filter(([name]) => name !== "cpu" && name !== "memory"),
    );
  return {
    limits: others(resources?.limits),
    requests: others(resources?.requests),
    ...(!isEmpty(resources?.claims) && { claims: resources?.claims }),
  };
}

function isMirror(pod: Given<Pod>): boolean {
  return pod.metadata?.annotations?.["kubernetes.io/config.mirror"] !== undefined;
}
