import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { objectAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";

/**
 * In place: settles which address families a service is of, on a cluster whose services are IPv4. A headless service
 * without a selector may name endpoints of both families. Answers what cannot be had here, in upstream's words.
 */
export function settleFamilies(spec: JsonObject): readonly StatusCause[] {
  const addresses = stringsAt(spec, "clusterIPs");
  const headless = stringAt(spec, "clusterIP") === "None" || addresses[0] === "None";
  const free = headless && Object.keys(objectAt(spec, "selector")).length === 0;
  spec.ipFamilyPolicy ??= free ? "RequireDualStack" : "SingleStack";
  const causes = singleStackCauses(spec);
  const families = headless ? stringsAt(spec, "ipFamilies") : inferred(spec, causes);
  if (causes.length > 0) return causes;
  if (free) {
    spec.ipFamilies = withOther(families, spec.ipFamilyPolicy !== "SingleStack");
    return [];
  }
  if (families.length > 0) spec.ipFamilies = [...families];
  causes.push(...foreignCauses(spec));
  if (causes.length === 0 && families.length === 0) spec.ipFamilies = ["IPv4"];
  return causes;
}

function singleStackCauses(spec: JsonObject): StatusCause[] {
  if (spec.ipFamilyPolicy !== "SingleStack") return [];
  const why = (what: string): StatusCause =>
    invalid(
      "spec.ipFamilyPolicy",
      "SingleStack",
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  return [
    ...(stringsAt(spec, "clusterIPs").length === 2 ? [why("cluster IPs")] : []),
    ...(stringsAt(spec, "ipFamilies").length === 2 ? [why("IP families")] : []),
  ];
}

/** The families that were asked for, and those of further addresses. */
function inferred(spec: JsonObject, causes: StatusCause[]): readonly string[] {
  const families = [...stringsAt(spec, "ipFamilies")];
  const addresses = stringsAt(spec, "clusterIPs");
  for (const [index, address] of addresses.entries()) {
    if (index < families.length || address === "") continue;
    if (!address.includes(":")) families.push("IPv4");
    else {
      const why = "IPv6 is not configured on this cluster";
      causes.push(invalid(`spec.clusterIPs[${index}]`, addresses, why));
    }
  }
  return families;
}

function withOther(families: readonly string[], both: boolean): string[] {
  const first = families[0] ?? "IPv4";
  if (families.length > 1 || !both) return families.length > 0 ? [...families] : [first];
  return [first, first === "IPv4" ? "IPv6" : "IPv4"];
}

function foreignCauses(spec: JsonObject): StatusCause[] {
  const causes: StatusCause[] = [];
  if (spec.ipFamilyPolicy === "RequireDualStack") {
    const why = "this cluster is not configured for dual-stack services";
    causes.push(invalid("spec.ipFamilyPolicy", "RequireDualStack", why));
  }
  for (const [index, family] of stringsAt(spec, "ipFamilies").entries()) {
    if (family === "IPv4") continue;
    causes.push(invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  }
  return causes;
}

function invalid(field: string, value: unknown, why: string): StatusCause {
  const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
  return { reason: "FieldValueInvalid", message, field };
}
