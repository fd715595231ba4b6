import type { Container, Pod, PodSpec, Toleration } from "#api/generated/types.ts";
import { differences, sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

type Spec = Given<PodSpec>;

const changeable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

/** What a plain update of a pod may change: little, because its containers already run as they were asked for. */
export function checkPodUpdate(root: Field, pod: Given<Pod>, old: Given<Pod>): void {
  const field = root.child("spec");
  const spec = pod.spec ?? {};
  const before = old.spec ?? {};
  if (!sameCount(field, spec, before)) return;
  checkDeadline(field.child("activeDeadlineSeconds"), spec, before);
  checkOnlyAddedTolerations(field.child("tolerations"), spec, before);
  checkOnlyRemovedGates(field.child("schedulingGates"), spec, before);
  checkGatedPlacement(field, spec, before);
  const kept = withChangeableOf(spec, before);
  if (!sameMeaning(kept, before)) {
    const changes = differences(before, kept, "spec").join("\n");
    field.forbidden(`pod updates may not change fields other than ${changeable}\n${changes}`);
  }
  checkMirror(root.child("metadata", "annotations"), pod, old);
}

const mirrorAnnotation = "kubernetes.io/config.mirror";

function checkMirror(field: Field, pod: Given<Pod>, old: Given<Pod>): void {
  const mirror = pod.metadata?.annotations?.[mirrorAnnotation];
  const before = old.metadata?.annotations?.[mirrorAnnotation];
  if (mirror === before) return;
  const act = before === undefined ? "add" : "remove or update";
  field.key(mirrorAnnotation).forbidden(`may not ${act} mirror pod annotation`);
}

function sameCount(field: Field, spec: Spec, before: Spec): boolean {
  const changed = (["containers", "initContainers"] as const).filter(
    (name) => itemsOf(spec[name]).length !== itemsOf(before[name]).length,
  );
  for (const name of changed) {
    field.child(name).forbidden("pod updates may not add or remove containers");
  }
  return changed.length === 0;
}

function checkDeadline(field: Field, spec: Spec, before: Spec): void {
  const old = before.activeDeadlineSeconds;
  const seconds = spec.activeDeadlineSeconds;
  if (typeof old !== "number") return;
  if (typeof seconds !== "number") {
    field.invalid(null, "must not update from a positive integer to nil value");
  } else if (seconds > old) field.invalid(seconds, "must be less than or equal to previous value");
}

function checkOnlyAddedTolerations(field: Field, spec: Spec, before: Spec): void {
  const withoutSeconds = (toleration: Given<Toleration>): unknown => ({
    ...toleration,
    tolerationSeconds: undefined,
  });
  const now = itemsOf(spec.tolerations).map(withoutSeconds);
  const lost = itemsOf(before.tolerations)
    .map(withoutSeconds)
    .some((old) => !now.some((toleration) => sameMeaning(toleration, old)));
  if (lost) field.forbidden("existing toleration can not be modified except its tolerationSeconds");
}

function checkOnlyRemovedGates(field: Field, spec: Spec, before: Spec): void {
  const known = new Set(itemsOf(before.schedulingGates).map((gate) => gate.name));
  for (const [index, gate] of itemsOf(spec.schedulingGates).entries()) {
    if (known.has(gate.name)) continue;
    const rule = `only deletion is allowed, but found new scheduling gate '${gate.name ?? ""}'`;
    field.index(index).child("name").forbidden(rule);
  }
}

/** A pod that is not yet let through to the scheduler may be narrowed to fewer nodes, not widened. */
function checkGatedPlacement(field: Field, spec: Spec, before: Spec): void {
  if (!isGated(before)) return;
  const selector = spec.nodeSelector ?? {};
  const kept = Object.entries(before.nodeSelector ?? {}).every(
    ([label, value]) => selector[label] === value,
  );
  if (!kept) {
    const rule = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
    field.child("nodeSelector").invalid(selector, rule);
  }
}

function isGated(spec: Spec): boolean {
  return itemsOf(spec.schedulingGates).length > 0;
}

/** The new spec with the old values of everything that may change: it must then equal the old one. */
function withChangeableOf(spec: Spec, before: Spec): Spec {
  const graceRepaired =
    (before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1;
  return {
    ...spec,
    containers: withImagesOf(spec.containers, before.containers),
    initContainers: withImagesOf(spec.initContainers, before.initContainers),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    schedulingGates: before.schedulingGates,
    tolerations: before.tolerations,
    ...(graceRepaired && {
      terminationGracePeriodSeconds: before.terminationGracePeriodSeconds,
    }),
    ...(isGated(before) && {
      nodeSelector: before.nodeSelector,
      affinity: { ...spec.affinity, nodeAffinity: before.affinity?.nodeAffinity },
    }),
  };
}

type Containers = readonly Given<Container>[] | null | undefined;

function withImagesOf(containers: Containers, before: Containers): Given<Container>[] {
  const old = itemsOf(before);
  return itemsOf(containers).map((container, index) => ({
    ...container,
    image: old[index]?.image,
  }));
}
