import { noFreePorts, portsClash } from "#reconcile/host-ports.ts";
import type { Plugin } from "#scheduler/framework.ts";

const rejection = { reasons: [noFreePorts], unresolvable: false };

/** Two pods cannot have the same port of the same address of a node. */
export const nodePorts: Plugin = {
  name: "NodePorts",
  preFilter: ({ placed }) => (placed.ports.length === 0 ? "skip" : undefined),
  filter: ({ placed }, { ports }) =>
    placed.ports.some((wanted) => ports.some((taken) => portsClash(wanted, taken)))
      ? rejection
      : undefined,
  helpedBy: ({ kind }) => kind === "nodeAdded" || kind === "podGone",
};
