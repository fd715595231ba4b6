import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOfIfSet, checkPort } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf, objectIn, setWhereUnset } from "#api/validation/given.ts";
import { cidrProblems, containsNetwork, parseCidr } from "#api/validation/ip.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

export const networkPolicyStrategy = strategyFor<NetworkPolicy>({
  hasGeneration: true,
  fillDefaults(policy) {
    const spec = objectIn(policy, "spec");
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule?.ports ?? []) if (port) setWhereUnset(port, { protocol: "TCP" });
    }
    if ((spec.policyTypes ?? []).length > 0) return;
    spec.policyTypes = (spec.egress ?? []).length > 0 ? ["Ingress", "Egress"] : ["Ingress"];
  },
  validate(root, policy) {
    const field = root.child("spec");
    const spec = policy.spec ?? {};
    checkLabelSelector(field.child("podSelector"), spec.podSelector);
    for (const [index, rule] of itemsOf(spec.ingress).entries()) {
      const at = field.child("ingress").index(index);
      checkPorts(at.child("ports"), itemsOf(rule.ports));
      checkPeers(at.child("from"), itemsOf(rule.from));
    }
    for (const [index, rule] of itemsOf(spec.egress).entries()) {
      const at = field.child("egress").index(index);
      checkPorts(at.child("ports"), itemsOf(rule.ports));
      checkPeers(at.child("to"), itemsOf(rule.to));
    }
    const types = itemsOf(spec.policyTypes);
    if (types.length > 2) {
      field.child("policyTypes").invalid(types, "may not specify more than two policyTypes");
    }
    for (const [index, type] of types.entries()) {
      checkOneOfIfSet(field.child("policyTypes").index(index), type, ["Egress", "Ingress"]);
    }
  },
});

function checkPorts(field: Field, ports: readonly Given<NetworkPolicyPort>[]): void {
  for (const [index, port] of ports.entries()) {
    const at = field.index(index);
    checkOneOfIfSet(at.child("protocol"), port.protocol, ["SCTP", "TCP", "UDP"]);
    const end = port.endPort;
    if (port.port !== undefined && port.port !== null) checkPort(at.child("port"), port.port);
    if (typeof end !== "number") continue;
    if (typeof port.port === "string") {
      at.child("endPort").invalid(end, "may not be specified when `port` is non-numeric");
    } else if (typeof port.port !== "number") {
      at.child("endPort").invalid(end, "may not be specified when `port` is not specified");
    } else if (end < port.port) {
      at.child("endPort").invalid(end, "must be greater than or equal to `port`");
    }
  }
}

function checkPeers(field: Field, peers: readonly Given<NetworkPolicyPeer>[]): void {
  for (const [index, peer] of peers.entries()) {
    const at = field.index(index);
    const { podSelector, namespaceSelector, ipBlock } = peer;
    if (podSelector) checkLabelSelector(at.child("podSelector"), podSelector);
    if (namespaceSelector) checkLabelSelector(at.child("namespaceSelector"), namespaceSelector);
    if (ipBlock) checkBlock(at.child("ipBlock"), ipBlock);
    if (!podSelector && !namespaceSelector && !ipBlock) at.required("must specify a peer");
    if (ipBlock && (podSelector || namespaceSelector)) {
      at.forbidden("may not specify both ipBlock and another peer");
    }
  }
}

function checkBlock(field: Field, block: Given<IPBlock>): void {
  const { cidr = "" } = block;
  if (!cidr) return field.child("cidr").required();
  field.child("cidr").invalidAll(cidr, cidrProblems(cidr));
  const outer = parseCidr(cidr);
  for (const [index, except] of itemsOf(block.except).entries()) {
    const at = field.child("except").index(index);
    at.invalidAll(except, cidrProblems(except));
    const inner = parseCidr(except);
    if (!outer || !inner) continue;
    if (!containsNetwork(outer, inner) || inner.prefixLength === outer.prefixLength) {
      at.invalid(except, `must be a strict subset of \`cidr\``);
    }
  }
}
