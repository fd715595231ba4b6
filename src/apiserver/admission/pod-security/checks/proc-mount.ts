import {
  containersOf,
  containersText,
  quoted,
  sorted,
  type CheckedPod,
  type Violation,
} from "#apiserver/admission/pod-security/check.ts";

/** `/proc` hides what it hides by default. */
export function procMount(pod: CheckedPod): Violation | undefined {
  const typeOf = ({ securityContext }: ReturnType<typeof containersOf>[number]): string =>
    securityContext?.procMount ?? "Default";
  const bad = containersOf(pod).filter((container) => typeOf(container) !== "Default");
  if (bad.length === 0) return undefined;
  const names = bad.map(({ name }) => name);
  return {
    reason: "procMount",
    detail: `${containersText(names)} must not set securityContext.procMount to ${quoted(sorted(bad.map(typeOf)))}`,
  };
}
