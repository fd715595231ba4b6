import type { Container, ObjectMeta, PodSpec } from "#api/generated/types.ts";

/** What of a pod, or of a workload's template, is checked. */
export interface CheckedPod {
  readonly metadata: Pick<ObjectMeta, "annotations">;
  readonly spec: PodSpec;
}

/** What a check finds: undefined when the pod may be. */
export interface Violation {
  /** `host namespaces` */
  readonly reason: string;
  /** `hostNetwork=true` */
  readonly detail: string;
}

export type CheckFunction = (pod: CheckedPod) => Violation | undefined;

/** One control of the Pod Security Standards, in each of the forms it has had. */
export interface Check {
  /** Upstream's name; the order of names is the order of the violations in a refusal. */
  readonly id: string;
  readonly level: "baseline" | "restricted";
  /** From the oldest: the first minor release that had it so. */
  readonly versions: readonly { readonly since: number; readonly check: CheckFunction }[];
  /** A baseline check that this one is done instead of. */
  readonly overrides?: string;
}

/** All containers of a pod, in the order in which upstream names them. */
export function containersOf({ spec }: CheckedPod): readonly Container[] {
  return [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...((spec.ephemeralContainers ?? []) as readonly Container[]),
  ];
}

/** `"a", "b"` */
export function quoted(texts: Iterable<string>): string {
  return Array.from(texts, (text) => `"${text}"`).join(", ");
}

/** `container "a"`, `containers "a", "b"` */
export function containersText(names: readonly string[]): string {
  return `${plural("container", names.length)} ${quoted(names)}`;
}

export function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}

/** `pod and container "a"`: who sets something that is not allowed. */
export function settersText(byPod: boolean, containers: readonly string[]): string {
  const named = containers.length > 0 ? [containersText(containers)] : [];
  return [...(byPod ? ["pod"] : []), ...named].join(" and ");
}

export function sorted(texts: Iterable<string>): readonly string[] {
  return [...new Set(texts)].toSorted();
}

/** From 1.25 on what only Linux has is not asked of pods for Windows. */
export function unlessWindows(check: CheckFunction): CheckFunction {
  return (pod) => (pod.spec.os?.name === "windows" ? undefined : check(pod));
}

/** From 1.35 on a pod in its own user namespace may do more. */
export function unlessOwnUsers(check: CheckFunction): CheckFunction {
  return (pod) => (pod.spec.hostUsers === false ? undefined : check(pod));
}
