import type { Service, ServicePort, ServiceSpec } from "#api/generated/types.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import { checkOneOf, checkOneOfIfSet, checkPort } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { portNumberProblems, qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { cidrProblems, ipProblems, nonSpecialIpProblems, parseIp } from "#api/validation/ip.ts";
import { checkLabels } from "#api/validation/labels.ts";

type Spec = Given<ServiceSpec>;

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const affinityMaxSeconds = 86_400;

export function checkService(root: Field, service: Given<Service>): void {
  const field = root.child("spec");
  const spec = service.spec ?? {};
  checkType(field, spec);
  checkPorts(field.child("ports"), spec);
  checkLabels(field.child("selector"), spec.selector);
  checkAffinity(field, spec);
  checkClusterIps(field, spec);
  checkFamilies(field, spec);
  for (const [index, ip] of itemsOf(spec.externalIPs).entries()) {
    field.child("externalIPs").index(index).invalidAll(ip, nonSpecialIpProblems(ip));
  }
  checkLoadBalancer(field, spec);
  checkPolicies(field, spec);
}

export function checkServiceUpdate(
  root: Field,
  service: Given<Service>,
  old: Given<Service>,
): void {
  const field = root.child("spec");
  const spec = service.spec ?? {};
  const before = old.spec ?? {};
  if (spec.type === "ExternalName" || before.type === "ExternalName") return;
  const ip = clusterIps(spec)[0];
  const given = clusterIps(before)[0];
  if (given && ip !== given) {
    const at = field.child("clusterIPs").index(0);
    if (ip) at.invalid(clusterIps(spec), "may not change once set");
    else at.invalid(clusterIps(spec), "primary clusterIP can not be unset");
  }
  const family = itemsOf(before.ipFamilies)[0];
  const wanted = itemsOf(spec.ipFamilies)[0];
  if (family && wanted && family !== wanted) {
    field.child("ipFamilies").index(0).invalid(itemsOf(spec.ipFamilies), "may not change once set");
  }
  if (before.loadBalancerClass && before.type === "LoadBalancer" && spec.type === "LoadBalancer") {
    const at = field.child("loadBalancerClass");
    if (spec.loadBalancerClass !== before.loadBalancerClass) {
      at.invalid(spec.loadBalancerClass ?? null, "may not change once set");
    }
  }
  if (before.healthCheckNodePort && spec.healthCheckNodePort) {
    if (spec.healthCheckNodePort !== before.healthCheckNodePort) {
      field.child("healthCheckNodePort").forbidden("field is immutable");
    }
  }
}

function clusterIps(spec: Spec): readonly string[] {
  const ips = itemsOf(spec.clusterIPs);
  return ips.length > 0 || !spec.clusterIP ? ips : [spec.clusterIP];
}

function isHeadless(spec: Spec): boolean {
  return clusterIps(spec)[0] === "None";
}

function checkType(field: Field, spec: Spec): void {
  checkOneOf(field.child("type"), spec.type, types);
  if (itemsOf(spec.ports).length === 0 && !isHeadless(spec) && spec.type !== "ExternalName") {
    field.child("ports").required();
  }
  if (isHeadless(spec) && (spec.type === "LoadBalancer" || spec.type === "NodePort")) {
    const rule = `may not be set to 'None' for ${spec.type} services`;
    field.child("clusterIPs").index(0).invalid("None", rule);
  }
  if (spec.type !== "ExternalName") return;
  for (const name of ["clusterIPs", "ipFamilies"] as const) {
    if (itemsOf(spec[name]).length > 0) {
      field.child(name).forbidden("may not be set for ExternalName services");
    }
  }
  if (spec.ipFamilyPolicy) {
    field.child("ipFamilyPolicy").forbidden("may not be set for ExternalName services");
  }
  const name = (spec.externalName ?? "").replace(/\.$/, "");
  if (name === "") field.child("externalName").required();
  else field.child("externalName").invalidAll(name, dns1123SubdomainProblems(name));
}

function checkPorts(field: Field, spec: Spec): void {
  const ports = itemsOf(spec.ports);
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = field.index(index);
    checkServicePort(at, port, spec);
    if (ports.length > 1 && !port.name) at.child("name").required();
    if (port.name) {
      at.child("name").invalidAll(port.name, dns1123LabelProblems(port.name));
      if (names.has(port.name)) at.child("name").duplicate(port.name);
      names.add(port.name);
    }
    const number = `${port.protocol}/${port.port}`;
    if (numbers.has(number)) at.duplicate({ protocol: port.protocol, port: port.port });
    numbers.add(number);
    if (!port.nodePort) continue;
    if (spec.type === "ClusterIP") {
      at.child("nodePort").forbidden("may not be used when `type` is 'ClusterIP'");
    }
    const nodePort = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(nodePort)) at.child("nodePort").duplicate(port.nodePort);
    nodePorts.add(nodePort);
  }
}

function checkServicePort(field: Field, port: Given<ServicePort>, spec: Spec): void {
  field.child("port").invalidAll(port.port ?? 0, portNumberProblems(port.port ?? 0));
  checkOneOf(field.child("protocol"), port.protocol, ["SCTP", "TCP", "UDP"]);
  if (spec.type !== "ExternalName" || port.targetPort !== undefined) {
    checkPort(field.child("targetPort"), port.targetPort);
  }
  if (port.appProtocol) {
    field
      .child("appProtocol")
      .invalidAll(port.appProtocol, qualifiedNameProblems(port.appProtocol));
  }
}

function checkAffinity(field: Field, spec: Spec): void {
  checkOneOf(field.child("sessionAffinity"), spec.sessionAffinity, ["ClientIP", "None"]);
  const at = field.child("sessionAffinityConfig");
  if (spec.sessionAffinity === "None" && spec.sessionAffinityConfig) {
    at.forbidden("must not be set when session affinity is None");
  }
  if (spec.sessionAffinity !== "ClientIP") return;
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (typeof seconds !== "number") {
    at.required("when session affinity type is ClientIP");
  } else if (seconds <= 0 || seconds > affinityMaxSeconds) {
    const rule = `must be greater than 0 and less than ${affinityMaxSeconds}`;
    at.child("clientIP", "timeoutSeconds").invalid(seconds, rule);
  }
}

function checkClusterIps(field: Field, spec: Spec): void {
  if (spec.type === "ExternalName") return;
  const ips = itemsOf(spec.clusterIPs);
  const at = field.child("clusterIPs");
  if (spec.clusterIP && ips.length > 0 && spec.clusterIP !== ips[0]) {
    at.index(0).invalid(ips[0], "first value must match `clusterIP`");
  }
  if (ips.length > 2) at.invalid(ips, "may only hold up to 2 values");
  for (const [index, ip] of clusterIps(spec).entries()) {
    if (ip === "None") {
      if (clusterIps(spec).length > 1) {
        at.index(index).invalid(ip, "'None' must be the first and only value");
      }
    } else at.index(index).invalidAll(ip, ipProblems(ip));
  }
  const families = new Set(ips.map((ip) => parseIp(ip)?.family));
  if (ips.length === 2 && families.size < 2 && !families.has(undefined)) {
    at.invalid(ips, "may specify no more than one IP for each IP family");
  }
}

function checkFamilies(field: Field, spec: Spec): void {
  const families = itemsOf(spec.ipFamilies);
  const at = field.child("ipFamilies");
  if (families.length > 2) at.invalid(families, "may only hold up to 2 values");
  for (const [index, family] of families.entries()) {
    checkOneOf(at.index(index), family, ["IPv4", "IPv6"]);
    if (families.indexOf(family) < index) at.index(index).duplicate(family);
  }
  checkOneOfIfSet(field.child("ipFamilyPolicy"), spec.ipFamilyPolicy, [
    "PreferDualStack",
    "RequireDualStack",
    "SingleStack",
  ]);
  if (spec.ipFamilyPolicy === "SingleStack" && families.length > 1) {
    const rule =
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified";
    field.child("ipFamilyPolicy").invalid(spec.ipFamilyPolicy, rule);
  }
}

function checkLoadBalancer(field: Field, spec: Spec): void {
  const balanced = spec.type === "LoadBalancer";
  const ranges = itemsOf(spec.loadBalancerSourceRanges);
  const at = field.child("LoadBalancerSourceRanges");
  if (ranges.length > 0 && !balanced)
    at.forbidden("may only be used when `type` is 'LoadBalancer'");
  for (const [index, range] of ranges.entries()) {
    at.index(index).invalidAll(range, cidrProblems(range.trim()));
  }
  const { allocateLoadBalancerNodePorts: allocate, loadBalancerClass } = spec;
  if (typeof allocate === "boolean" && !balanced) {
    const rule = "may only be used when `type` is 'LoadBalancer'";
    field.child("allocateLoadBalancerNodePorts").forbidden(rule);
  }
  if (!loadBalancerClass) return;
  const name = field.child("loadBalancerClass");
  if (!balanced) name.forbidden("may only be used when `type` is 'LoadBalancer'");
  else name.invalidAll(loadBalancerClass, qualifiedNameProblems(loadBalancerClass));
}

function checkPolicies(field: Field, spec: Spec): void {
  const external = field.child("externalTrafficPolicy");
  const accessible =
    spec.type === "NodePort" ||
    spec.type === "LoadBalancer" ||
    (spec.type === "ClusterIP" && itemsOf(spec.externalIPs).length > 0);
  if (spec.externalTrafficPolicy) {
    if (!accessible) {
      external.invalid(
        spec.externalTrafficPolicy,
        "may only be set for externally-accessible services",
      );
    } else checkOneOf(external, spec.externalTrafficPolicy, ["Cluster", "Local"]);
  } else if (accessible) external.required();
  const health = spec.healthCheckNodePort;
  if (health && !(spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local")) {
    const rule =
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    field.child("healthCheckNodePort").invalid(health, rule);
  }
  checkOneOfIfSet(field.child("internalTrafficPolicy"), spec.internalTrafficPolicy, [
    "Cluster",
    "Local",
  ]);
  checkOneOfIfSet(field.child("trafficDistribution"), spec.trafficDistribution, [
    "PreferClose",
    "PreferSameNode",
    "PreferSameZone",
  ]);
}
