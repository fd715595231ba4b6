import type { Plugin } from "#scheduler/framework.ts";

const rejection = {
  reasons: ["node(s) didn't match the requested node name"],
  unresolvable: true,
};

/** A pod that names its node goes nowhere else. */
export const nodeName: Plugin = {
  name: "NodeName",
  preFilter: ({ pod }) => (pod.spec?.nodeName ? undefined : "skip"),
  filter: ({ pod }, { name }) =>
    pod.spec?.nodeName && pod.spec.nodeName !== name ? rejection : undefined,
  helpedBy: (event) => event.kind === "nodeAdded",
};
