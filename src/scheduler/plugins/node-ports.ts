import type { Plugin } from "#scheduler/framework.ts";
import type { HostPort } from "#scheduler/node-state.ts";

const rejection = {
  reasons: ["node(s) didn't have free ports for the requested pod ports"],
  unresolvable: false,
};

/** Two pods cannot have the same port of the same address of a node. */
export const nodePorts: Plugin = {
  name: "NodePorts",
  preFilter: ({ placed }) => (placed.ports.length === 0 ? "skip" : undefined),
  filter: ({ placed }, { ports }) =>
    placed.ports.some((wanted) => ports.some((taken) => clash(wanted, taken)))
      ? rejection
      : undefined,
  helpedBy: ({ kind }) => kind === "nodeAdded" || kind === "podGone",
};

const everyAddress = "0.0.0.0";

function clash(one: HostPort, other: HostPort): boolean {
  if (one.port !== other.port || one.protocol !== other.protocol) return false;
  return one.ip === other.ip || one.ip === everyAddress || other.ip === everyAddress;
}
