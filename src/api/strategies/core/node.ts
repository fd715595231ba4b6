import type { Node, Taint } from "#api/generated/types.ts";
import { checkAmount } from "#api/strategies/core/pod/resources.ts";
import { taintEffects } from "#api/strategies/core/pod/tolerations.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkUnique } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { labelValueProblems, qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, type Given, itemsOf, objectIn } from "#api/validation/given.ts";
import { cidrProblems, parseCidr } from "#api/validation/ip.ts";

export const nodeStrategy = strategyFor<Node>({
  hasGeneration: false,
  fillDefaults(node) {
    const { status } = node;
    if (status?.capacity && !status.allocatable) status.allocatable = { ...status.capacity };
    const spec = objectIn(node, "spec");
    if (itemsOf(spec.podCIDRs).length === 0 && spec.podCIDR) spec.podCIDRs = [spec.podCIDR];
  },
  validate(root, node) {
    const field = root.child("spec");
    checkTaints(field.child("taints"), itemsOf(node.spec?.taints));
    checkPodNetworks(field, node);
    checkCapacity(root.child("status", "capacity"), node.status?.capacity);
  },
  validateUpdate(root, node, old) {
    const { podCIDRs, providerID } = old.spec ?? {};
    const now = itemsOf(node.spec?.podCIDRs);
    const given = itemsOf(podCIDRs);
    if (given.length > 0 && given.join() !== now.join()) {
      const rule = 'node updates may not change podCIDR except from "" to valid';
      root.child("spec", "podCIDRs").forbidden(rule);
    }
    if (providerID && providerID !== node.spec?.providerID) {
      const rule = 'node updates may not change providerID except from "" to valid';
      root.child("spec", "providerID").forbidden(rule);
    }
  },
  validateStatusUpdate(root, node) {
    checkCapacity(root.child("status", "capacity"), node.status?.capacity);
    const addresses = itemsOf(node.status?.addresses);
    checkUnique(
      addresses,
      (address) => `${address.type}/${address.address}`,
      (index) => root.child("status", "addresses").index(index).duplicate(addresses[index]),
    );
  },
  selectableFields: {
    "spec.unschedulable": (node) => String(node.spec?.unschedulable ?? false),
  },
});

function checkTaints(field: Field, taints: readonly Given<Taint>[]): void {
  for (const [index, taint] of taints.entries()) {
    const at = field.index(index);
    at.child("key").invalidAll(taint.key ?? "", qualifiedNameProblems(taint.key ?? ""));
    const problems = labelValueProblems(taint.value ?? "");
    if (problems.length > 0) at.child("value").invalid(taint.value, problems.join(";"));
    checkOneOf(at.child("effect"), taint.effect, taintEffects);
  }
  checkUnique(
    taints,
    (taint) => `${taint.key}:${taint.effect}`,
    (index) => field.index(index).duplicate(taints[index]),
  );
}

function checkPodNetworks(field: Field, node: Given<Node>): void {
  const networks = itemsOf(node.spec?.podCIDRs);
  const at = field.child("podCIDRs");
  for (const [index, network] of networks.entries()) {
    at.index(index).invalidAll(network, cidrProblems(network));
  }
  const families = new Set(networks.map((network) => parseCidr(network)?.family));
  if (networks.length > 1 && (families.size < 2 || networks.length > 2)) {
    at.invalid(networks, "may specify no more than one CIDR for each IP family");
  }
}

function checkCapacity(
  field: Field,
  amounts: { readonly [name: string]: string } | null | undefined,
): void {
  for (const [name, amount] of entriesOf(amounts)) checkAmount(field.key(name), name, amount);
}
