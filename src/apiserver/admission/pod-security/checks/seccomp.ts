import {
  containersOf,
  containersText,
  plural,
  quoted,
  settersText,
  sorted,
  type CheckedPod,
  type Violation,
} from "#apiserver/admission/pod-security/check.ts";

const podAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
const containerAnnotation = "container.seccomp.security.alpha.kubernetes.io/";

/** Before 1.19 profiles were named in annotations. */
export function seccompAnnotations(pod: CheckedPod): Violation | undefined {
  const keys = [
    podAnnotation,
    ...containersOf(pod).map(({ name }) => `${containerAnnotation}${name}`),
  ];
  const forbidden = keys.flatMap((key) => {
    const value = pod.metadata.annotations?.[key];
    const usual =
      value === undefined ||
      value === "runtime/default" ||
      value === "docker/default" ||
      value.startsWith("localhost/");
    return usual ? [] : [`${key}=${JSON.stringify(value)}`];
  });
  if (forbidden.length === 0) return undefined;
  const list = sorted(forbidden);
  return {
    reason: "seccompProfile",
    detail: `forbidden ${plural("annotation", list.length)} ${list.join(", ")}`,
  };
}

/** No one turns the filter off. */
export function seccompBaseline(pod: CheckedPod): Violation | undefined {
  const ofPod = pod.spec.securityContext?.seccompProfile?.type;
  const bad = containersOf(pod).filter(({ securityContext }) =>
    isBad(securityContext?.seccompProfile?.type),
  );
  const types = [ofPod, ...bad.map((one) => one.securityContext?.seccompProfile?.type)];
  const wrong = sorted(types.filter(isBad));
  if (wrong.length === 0) return undefined;
  const setters = settersText(
    isBad(ofPod),
    bad.map(({ name }) => name),
  );
  return {
    reason: "seccompProfile",
    detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(wrong)}`,
  };
}

/** Everyone turns it on. */
export function seccompRestricted(pod: CheckedPod): Violation | undefined {
  const wrong = seccompBaseline(pod);
  if (wrong !== undefined) return wrong;
  if (pod.spec.securityContext?.seccompProfile !== undefined) return undefined;
  const silent = containersOf(pod).filter(
    ({ securityContext }) => securityContext?.seccompProfile === undefined,
  );
  if (silent.length === 0) return undefined;
  const names = silent.map(({ name }) => name);
  return {
    reason: "seccompProfile",
    detail: `pod or ${containersText(names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
}

function isBad(type: string | undefined): type is string {
  return type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
}
