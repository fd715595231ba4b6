import type { Pod } from "#api/generated/types.ts";
import type { Plugin } from "#scheduler/framework.ts";

const rejection = {
  reasons: ["node(s) didn't match Pod's operating system"],
  unresolvable: true,
};

/**
 * Places a pod on nodes of the system that its `spec.os` names; one of HostProcess containers on Windows nodes. Upstream
 * leaves this to a node selector, and the node refuses the pod.
 */
export const nodeOperatingSystem: Plugin = {
  name: "NodeOperatingSystem",
  preFilter: ({ pod }) => (systemOf(pod) === undefined ? "skip" : undefined),
  filter({ pod }, { node }) {
    const system = systemOf(pod);
    const actual = node.metadata.labels?.["kubernetes.io/os"];
    // A node that does not say what it is may be of any system.
    return system === undefined || actual === undefined || actual === system
      ? undefined
      : rejection;
  },
  helpedBy: (event) =>
    event.kind === "nodeAdded" || (event.kind === "nodeChanged" && event.changes.has("labels")),
};

function systemOf({ spec }: Pod): string | undefined {
  if (spec?.os?.name) return spec.os.name;
  const contexts = [
    spec?.securityContext,
    ...(spec?.initContainers ?? []).map(({ securityContext }) => securityContext),
    ...(spec?.containers ?? []).map(({ securityContext }) => securityContext),
  ];
  return contexts.some((context) => context?.windowsOptions?.hostProcess) ? "windows" : undefined;
}
