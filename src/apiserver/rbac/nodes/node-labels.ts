import type { JsonObject } from "#api/kind.ts";

/** The labels that differ and that a node may not set on itself, sorted and joined; `""` when there are none. */
export function forbiddenLabels(labels: JsonObject, before: JsonObject): string {
  const keys = new Set([...Object.keys(labels), ...Object.keys(before)]);
  const changed = [...keys].filter((key) => labels[key] !== before[key]);
  return changed.filter(isForbidden).toSorted().join(", ");
}

/** Labels by which others steer pods: a node could draw pods to itself that should not run there. */
function isForbidden(key: string): boolean {
  const slash = key.indexOf("/");
  const domain = slash < 0 ? "" : key.slice(0, slash);
  if (isWithin(domain, "node-restriction.kubernetes.io")) return true;
  if (!isWithin(domain, "kubernetes.io") && !isWithin(domain, "k8s.io")) return false;
  return !nodeLabels.has(key) && !nodeDomains.some((own) => isWithin(domain, own));
}

function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}

const nodeDomains = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const nodeLabels: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
]);
