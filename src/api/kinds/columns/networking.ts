import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  formatSelector,
  name,
  none,
  objects,
  orNone,
  strings,
  text,
} from "#api/kinds/columns/cells.ts";
import { loadBalancerAddresses } from "#api/kinds/columns/services.ts";

/** The columns of `networking.k8s.io` by kind. */
export const networkingColumns: Readonly<Record<string, readonly Column[]>> = {
  Ingress: [
    name,
    column("Class", "The ingress class that serves it", (ingress) =>
      orNone(text(ingress, "spec", "ingressClassName")),
    ),
    column("Hosts", "Host names of the rules", hosts),
    column("Address", "Where the ingress answers", loadBalancerAddresses),
    column("Ports", "Ports that are open", (ingress) =>
      objects(ingress, "spec", "tls").length > 0 ? "80, 443" : "80",
    ),
    age,
  ],
  IngressClass: [
    name,
    column("Controller", "Who serves ingresses of this class", (object) =>
      text(object, "spec", "controller"),
    ),
    column("Parameters", "Object with further settings", parameters),
    age,
  ],
  IPAddress: [name, column("ParentRef", "What uses the address", parentReference)],
  NetworkPolicy: [
    name,
    column("Pod-Selector", "Labels of the pods it applies to", (object) =>
      formatSelector(at(object, "spec", "podSelector")),
    ),
    age,
  ],
  ServiceCIDR: [
    name,
    column("CIDRs", "Ranges of service addresses", (object) =>
      strings(object, "spec", "cidrs").join(","),
    ),
    age,
  ],
};

const hostsShownMax = 3;

function hosts(ingress: JsonObject): string {
  const rules = objects(ingress, "spec", "rules");
  const named = rules.map((rule) => text(rule, "host")).filter((host) => host !== "");
  if (named.length === 0) return "*";
  const shown = named.slice(0, hostsShownMax).join(",");
  return named.length > hostsShownMax
    ? `${shown} + ${rules.length - hostsShownMax} more...`
    : shown;
}

function parameters(object: JsonObject): string {
  const reference = at(object, "spec", "parameters");
  if (reference === undefined) return none;
  const group = text(reference, "apiGroup");
  const kind = text(reference, "kind") + (group === "" ? "" : `.${group}`);
  return `${kind}/${text(reference, "name")}`;
}

function parentReference(object: JsonObject): string {
  const parent = at(object, "spec", "parentRef");
  if (parent === undefined) return none;
  const group = text(parent, "group");
  const resource = text(parent, "resource") + (group === "" ? "" : `.${group}`);
  const namespace = text(parent, "namespace");
  return [
    resource.toLowerCase(),
    ...(namespace === "" ? [] : [namespace]),
    text(parent, "name"),
  ].join("/");
}
