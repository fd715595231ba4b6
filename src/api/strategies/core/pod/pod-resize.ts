import type { Container, Pod, PodSpec, StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { checkPodSpec } from "#api/strategies/core/pod/pod-spec.ts";
import { qualityOfService } from "#api/strategies/core/pod/quality-of-service.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import { type Given, isEmpty, itemsOf } from "#api/validation/given.ts";

type Containers = readonly Given<Container>[];
type Resources = Given<PodSpec>["resources"];
type Amounts = { readonly [name: string]: unknown } | null | undefined;

/** An update of `pods/resize`: cpu and memory of containers and of the pod, within its class of service. */
export function validateResize(object: JsonObject, old: JsonObject): readonly StatusCause[] {
  const pod = object as Given<Pod>;
  const before = old as Given<Pod>;
  return causesOf((root) => {
    const refusal = refusalOf(before);
    if (refusal) return root.index("").forbidden(refusal);
    const field = root.child("spec");
    checkPodSpec(field, pod.spec ?? {}, { isPod: true });
    const quality = before.status?.qosClass ?? qualityOfService(before.spec);
    if (qualityOfService(pod.spec) !== quality) {
      field.invalid(quality, "Pod QOS Class may not change as a result of resizing");
    }
    if (!isResizedByNode(before)) field.forbidden("Pod running on node without support for resize");
    checkPodLevel(field, pod, before);
    if (!isEmpty(before.status?.nodeAllocatableResourceClaimStatuses)) {
      field.forbidden("pods with node allocatable resource claims cannot be resized");
    }
    checkContainersOf(field, pod.spec ?? {}, before.spec ?? {});
  });
}

function refusalOf(pod: Given<Pod>): string | undefined {
  const isMirror = pod.metadata?.annotations?.["kubernetes.io/config.mirror"] !== undefined;
  if (isMirror) return "static pods cannot be resized";
  return pod.spec?.os?.name === "windows" ? "windows pods cannot be resized" : undefined;
}

/** A node that does not tell what its containers have cannot give them something else. */
function isResizedByNode({ status }: Given<Pod>): boolean {
  const running = itemsOf(status?.containerStatuses).find(({ state }) => state?.running);
  return running === undefined || (running.resources !== undefined && running.resources !== null);
}

function checkPodLevel(field: Field, pod: Given<Pod>, old: Given<Pod>): void {
  const now = pod.spec?.resources;
  const before = old.spec?.resources;
  if (isUnset(now) && isUnset(before)) return;
  const at = field.child("resources");
  if (before && !now) return at.forbidden("pod-level resources cannot be removed");
  if (isRemoved(now?.requests, before?.requests)) {
    at.child("requests").forbidden("pod-level resource requests cannot be removed");
  }
  if (isRemoved(now?.limits, before?.limits)) {
    at.child("limits").forbidden("pod-level resource limits cannot be removed");
  }
  if (!sameMeaning(masked(now), masked(before))) {
    field.forbidden("only cpu and memory resources are mutable at pod-level");
  }
}

function checkContainersOf(field: Field, spec: Given<PodSpec>, old: Given<PodSpec>): void {
  const noted = field.noted;
  const pairs = (["containers", "initContainers"] as const).map((name) => ({
    name,
    now: itemsOf(spec[name]),
    before: itemsOf(old[name]),
  }));
  for (const { name, now, before } of pairs) checkOrder(field, { name, now, before });
  // What follows compares containers by their places.
  if (field.noted > noted) return;
  for (const { name, now, before } of pairs.toReversed()) {
    checkRemoved(field.child(name), now, before);
  }
  const [apps, inits] = pairs;
  for (const [index, container] of (apps?.now ?? []).entries()) {
    if (!sameButAmounts(container, apps?.before[index])) {
      field.forbidden("only cpu and memory resources are mutable");
    }
  }
  for (const [index, container] of (inits?.now ?? []).entries()) {
    checkInit(field.child("initContainers").index(index), container, inits?.before[index] ?? {});
  }
}

interface Pair {
  readonly name: "containers" | "initContainers";
  readonly now: Containers;
  readonly before: Containers;
}

function checkOrder(field: Field, { name, now, before }: Pair): void {
  if (now.length !== before.length) {
    return field.child(name).forbidden(`${name} may not be added or removed on resize`);
  }
  for (const [index, old] of before.entries()) {
    if (now[index]?.name === old.name) continue;
    const at = field.child(name).index(index).child("name");
    at.forbidden(`${name} may not be renamed or reordered on resize`);
  }
}

function checkRemoved(field: Field, now: Containers, before: Containers): void {
  for (const [index, old] of before.entries()) {
    const at = field.index(index).child("resources");
    for (const side of ["requests", "limits"] as const) {
      if (!isRemoved(now[index]?.resources?.[side], old.resources?.[side])) continue;
      at.child(side).forbidden(`resource ${side} cannot be removed`);
    }
  }
}

function checkInit(field: Field, container: Given<Container>, old: Given<Container>): void {
  if (!sameButAmounts(container, old)) {
    field.forbidden("only cpu and memory resources for init or sidecar containers are mutable");
  }
  if (container.restartPolicy === "Always" || sameMeaning(container, old)) return;
  const restarts = itemsOf(container.resizePolicy).some(
    ({ restartPolicy }) => restartPolicy === "RestartContainer",
  );
  if (restarts) {
    const who = "non-sidecar init containers with a resize policy of RestartContainer";
    field.forbidden(`${who} cannot be resized`);
  }
}

function sameButAmounts(container: Given<Container>, old: Given<Container> = {}): boolean {
  return sameMeaning(
    { ...container, resources: masked(container.resources) },
    { ...old, resources: masked(old.resources) },
  );
}

/** What must stay as it is: everything but amounts of cpu and memory. */
function masked(resources: Resources): object {
  const others = (amounts: Amounts): object =>
    Object.fromEntries(
      Object.entries(amounts ?? {}).filter(([name]) => name !== "cpu" && name !== "memory"),
    );
  return {
    limits: others(resources?.limits),
    requests: others(resources?.requests),
    ...(!isEmpty(resources?.claims) && { claims: resources?.claims }),
  };
}

function isRemoved(now: Amounts, before: Amounts): boolean {
  return Object.keys(before ?? {}).some((name) => !(name in (now ?? {})));
}

function isUnset(resources: Resources): boolean {
  return isEmpty(resources?.requests) && isEmpty(resources?.limits);
}
