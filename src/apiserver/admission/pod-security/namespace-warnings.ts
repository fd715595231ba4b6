import type { Pod } from "#api/generated/types.ts";
import { objectsIn } from "#apiserver/admission/read-namespace.ts";
import { violationsOf } from "#apiserver/admission/pod-security/evaluate.ts";
import { levelText, type LevelVersion } from "#apiserver/admission/pod-security/policy.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** What pods are held to, but for those of some runtime classes. */
interface Concern {
  readonly level: LevelVersion;
  readonly isExempt: (runtimeClass: string) => boolean;
}

/** Which pods that are there a namespace's new level would have refused, in upstream's words. */
export function namespaceWarnings(
  server: ServerState,
  namespace: string,
  { level, isExempt }: Concern,
): readonly string[] {
  const resource = { group: "", resource: "pods" };
  const all = oneOfEachFirst(objectsIn(server, resource, namespace) as unknown as readonly Pod[]);
  const checked = all.slice(0, podsMax);
  const namesBy = Map.groupBy(
    checked.flatMap((pod) => {
      if (isExempt(pod.spec?.runtimeClassName ?? "")) return [];
      const reasons = violationsOf({ metadata: pod.metadata, spec: pod.spec ?? none }, level);
      const text = reasons.map(({ reason }) => reason).join(", ");
      return text === "" ? [] : [{ text, name: pod.metadata.name ?? "" }];
    }),
    ({ text }) => text,
  );
  const texts = [...namesBy].map(([text, pods]) => `${namesText(pods)}: ${text}`).toSorted();
  return [
    ...(checked.length < all.length
      ? [
          `new PodSecurity enforce level only checked against the first ${checked.length} of ${all.length} existing pods`,
        ]
      : []),
    ...(texts.length > 0
      ? [
          `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(levelText(level))}`,
        ]
      : []),
    ...texts,
  ];
}

const podsMax = 3_000;
const none = { containers: [] };

/** `a`, `a (and 1 other pod)`, `a (and 2 other pods)` */
function namesText(pods: readonly { readonly name: string }[]): string {
  const [first = ""] = pods.map(({ name }) => name).toSorted();
  const others = pods.length - 1;
  if (others === 0) return first;
  return `${first} (and ${others} other ${others === 1 ? "pod" : "pods"})`;
}

/** Pods of one controller are alike: one of each comes before the rest. */
function oneOfEachFirst(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>();
  const rest: Pod[] = [];
  const first = pods.filter((pod) => {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller);
    if (owner === undefined) return true;
    const known = seen.has(owner.uid);
    seen.add(owner.uid);
    if (known) rest.push(pod);
    return !known;
  });
  return [...first, ...rest];
}
