import type { IPAddress, ServiceCIDR } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkRequired } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import { itemsOf } from "#api/validation/given.ts";
import { cidrProblems, ipProblems, isNetworkAddress, parseCidr } from "#api/validation/ip.ts";

export const ipAddressStrategy = strategyFor<IPAddress>({
  hasGeneration: false,
  nameRule: "pathSegment",
  validate(root, address) {
    const name = address.metadata?.name ?? "";
    root.child("metadata", "name").invalidAll(name, ipProblems(name));
    const parent = address.spec?.parentRef;
    const field = root.child("spec", "parentRef");
    if (!parent) return field.required();
    checkRequired(field.child("resource"), parent.resource);
    checkRequired(field.child("name"), parent.name);
  },
  validateUpdate(root, address, old) {
    checkImmutable(root.child("spec", "parentRef"), address.spec?.parentRef, old.spec?.parentRef);
  },
});

export const serviceCidrStrategy = strategyFor<ServiceCIDR>({
  hasGeneration: false,
  validate(root, serviceCidr) {
    const field = root.child("spec", "cidrs");
    const ranges = itemsOf(serviceCidr.spec?.cidrs);
    if (ranges.length === 0) return field.required("at least one CIDR required");
    if (ranges.length > 2) field.invalid(ranges, "may only hold up to 2 values");
    for (const [index, range] of ranges.entries()) {
      const at = field.index(index);
      const network = parseCidr(range);
      at.invalidAll(range, cidrProblems(range));
      if (network && !isNetworkAddress(network)) {
        at.invalid(range, "must be in canonical form: bits set beyond the prefix length");
      }
    }
    const families = new Set(ranges.map((range) => parseCidr(range)?.family));
    if (ranges.length === 2 && families.size < 2) {
      field.invalid(
        ranges,
        "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96",
      );
    }
  },
  validateUpdate(root, serviceCidr, old) {
    const field = root.child("spec", "cidrs");
    const before = itemsOf(old.spec?.cidrs);
    const now = itemsOf(serviceCidr.spec?.cidrs);
    if (before.some((range, index) => now[index] !== range)) {
      field.invalid(now, "field is immutable");
    }
  },
});
