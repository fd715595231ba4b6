import type { ObjectMeta, PodDNSConfig, PodSpec, PodTemplateSpec } from "#api/generated/types.ts";
import { dns1123SubdomainProblems, underscoreSubdomainProblems } from "#api/names.ts";
import { checkAffinity, checkSpreading } from "#api/strategies/core/pod/affinity.ts";
import {
  checkContainers,
  checkEphemeralContainers,
  checkInitContainers,
  type PodContext,
} from "#api/strategies/core/pod/containers.ts";
import { checkAmounts, checkPodLevelResources } from "#api/strategies/core/pod/resources.ts";
import { checkPodSecurity } from "#api/strategies/core/pod/security.ts";
import { checkTolerations } from "#api/strategies/core/pod/tolerations.ts";
import { checkVolumes } from "#api/strategies/core/pod/volumes.ts";
import {
  checkLabelName,
  checkOneOf,
  checkOneOfIfSet,
  checkQualifiedName,
  checkUnique,
} from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { rangeProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { ipProblems } from "#api/validation/ip.ts";
import { checkLabels } from "#api/validation/labels.ts";
import { checkAnnotations } from "#api/validation/object-meta.ts";

type Spec = Given<PodSpec>;

/** The template of a workload: what can be wrong with its pods, at `field`. */
export function checkPodTemplate(
  field: Field,
  template: Given<PodTemplateSpec> | null | undefined,
): void {
  const meta: Given<ObjectMeta> = template?.metadata ?? {};
  checkLabels(field.child("metadata", "labels"), meta.labels);
  checkAnnotations(field.child("metadata", "annotations"), meta);
  const spec = template?.spec ?? {};
  checkPodSpec(field.child("spec"), spec, { isPod: false });
  if (itemsOf(spec.ephemeralContainers).length > 0) {
    field
      .child("spec", "ephemeralContainers")
      .forbidden("ephemeral containers not allowed in pod template");
  }
}

/** A pod's own spec is held to more than a template's, for compatibility with old templates. */
export function checkPodSpec(field: Field, spec: Spec, { isPod }: { isPod: boolean }): void {
  const context: PodContext = {
    volumes: itemsOf(spec.volumes),
    claimNames: new Set(itemsOf(spec.resourceClaims).map((claim) => claim.name ?? "")),
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? undefined,
    restartPolicy: spec.restartPolicy ?? "",
    isPod,
  };
  checkVolumes(field.child("volumes"), context.volumes);
  checkResourceClaims(field.child("resourceClaims"), spec);
  checkContainers(field.child("containers"), spec, context);
  checkInitContainers(field.child("initContainers"), spec, context);
  checkEphemeralContainers(field.child("ephemeralContainers"), spec, context);
  checkHostNetwork(field, spec, isPod);
  checkPolicies(field, spec);
  checkPlacement(field, spec);
  checkIdentity(field, spec);
  checkPodSecurity(field.child("securityContext"), spec.securityContext);
  checkDns(field.child("dnsConfig"), spec.dnsConfig, spec.dnsPolicy ?? "");
  checkPodLevelResources(field.child("resources"), spec);
  if (spec.overhead) checkAmounts(field.child("overhead"), spec.overhead);
}

function checkPolicies(field: Field, spec: Spec): void {
  checkOneOf(field.child("restartPolicy"), spec.restartPolicy, ["Always", "OnFailure", "Never"]);
  checkOneOf(field.child("dnsPolicy"), spec.dnsPolicy, dnsPolicies);
  checkOneOfIfSet(field.child("preemptionPolicy"), spec.preemptionPolicy, [
    "PreemptLowerPriority",
    "Never",
  ]);
  if (spec.os) checkOneOf(field.child("os", "name"), spec.os.name, ["linux", "windows"]);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && deadline !== null) {
    const problems = rangeProblems(deadline, 1, 0x7fff_ffff);
    field.child("activeDeadlineSeconds").invalidAll(deadline, problems);
  }
  for (const [index, gate] of itemsOf(spec.readinessGates).entries()) {
    const at = field.child("readinessGates").index(index).child("conditionType");
    checkQualifiedName(at, gate.conditionType);
  }
}

const dnsPolicies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

function checkPlacement(field: Field, spec: Spec): void {
  checkLabels(field.child("nodeSelector"), spec.nodeSelector);
  checkAffinity(field.child("affinity"), spec.affinity);
  checkTolerations(field.child("tolerations"), itemsOf(spec.tolerations));
  const spreading = itemsOf(spec.topologySpreadConstraints);
  checkSpreading(field.child("topologySpreadConstraints"), spreading);
  const gates = itemsOf(spec.schedulingGates);
  for (const [index, gate] of gates.entries()) {
    checkQualifiedName(field.child("schedulingGates").index(index), gate.name);
  }
  checkUnique(
    gates,
    (gate) => gate.name ?? "",
    (index, name) => field.child("schedulingGates").index(index).duplicate(name),
  );
  if (spec.nodeName && gates.length > 0) {
    field.child("nodeName").forbidden("cannot be set until all schedulingGates have been cleared");
  }
}

function checkIdentity(field: Field, spec: Spec): void {
  for (const name of [
    "serviceAccountName",
    "nodeName",
    "priorityClassName",
    "runtimeClassName",
  ] as const) {
    const value = spec[name];
    if (value) field.child(name).invalidAll(value, dns1123SubdomainProblems(value));
  }
  if (spec.hostname) checkLabelName(field.child("hostname"), spec.hostname);
  if (spec.subdomain) checkLabelName(field.child("subdomain"), spec.subdomain);
  for (const [index, alias] of itemsOf(spec.hostAliases).entries()) {
    const at = field.child("hostAliases").index(index);
    at.child("ip").invalidAll(alias.ip ?? "", ipProblems(alias.ip ?? ""));
    for (const [nth, hostname] of itemsOf(alias.hostnames).entries()) {
      at.child("hostnames").index(nth).invalidAll(hostname, dns1123SubdomainProblems(hostname));
    }
  }
}

function checkHostNetwork(field: Field, spec: Spec, isPod: boolean): void {
  if (spec.shareProcessNamespace && spec.hostPID) {
    field
      .child("shareProcessNamespace")
      .invalid(true, "ShareProcessNamespace and HostPID cannot both be enabled");
  }
  if (spec.hostUsers === false) {
    for (const name of ["hostNetwork", "hostPID", "hostIPC"] as const) {
      if (spec[name]) field.child(name).forbidden("when `pod.Spec.HostUsers` is false");
    }
  }
  if (!spec.hostNetwork) return;
  for (const [index, container] of itemsOf(spec.containers).entries()) {
    for (const [nth, port] of itemsOf(container.ports).entries()) {
      const hostPort = port.hostPort ?? 0;
      if ((isPod || hostPort !== 0) && hostPort !== (port.containerPort ?? 0)) {
        const at = field.child("containers").index(index).child("ports").index(nth);
        at.child("hostPort").invalid(
          hostPort,
          "must match `containerPort` when `hostNetwork` is true",
        );
      }
    }
  }
}

function checkResourceClaims(field: Field, spec: Spec): void {
  const claims = itemsOf(spec.resourceClaims);
  for (const [index, claim] of claims.entries()) {
    const at = field.index(index);
    checkLabelName(at.child("name"), claim.name);
    if (claim.resourceClaimName && claim.resourceClaimTemplateName) {
      at.invalid(
        claim,
        "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
      );
    } else if (!claim.resourceClaimName && !claim.resourceClaimTemplateName) {
      at.invalid(claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    }
  }
  checkUnique(
    claims,
    (claim) => claim.name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}

const nameserversMax = 3;
const searchesMax = 32;
const searchListMaxChars = 2048;

function checkDns(
  field: Field,
  config: Given<PodDNSConfig> | null | undefined,
  policy: string,
): void {
  const nameservers = itemsOf(config?.nameservers);
  if (policy === "None" && !config) {
    return field.required("must provide `dnsConfig` when `dnsPolicy` is None");
  }
  if (policy === "None" && nameservers.length === 0) {
    return field
      .child("nameservers")
      .required("must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (nameservers.length > nameserversMax) {
    const limit = `must not have more than ${nameserversMax} nameservers`;
    field.child("nameservers").invalid(nameservers, limit);
  }
  for (const [index, server] of nameservers.entries()) {
    field.child("nameservers").index(index).invalidAll(server, ipProblems(server));
  }
  checkSearches(field.child("searches"), itemsOf(config?.searches));
  for (const [index, option] of itemsOf(config?.options).entries()) {
    if (!option.name) field.child("options").index(index).required("must not be empty");
  }
}

function checkSearches(field: Field, searches: readonly string[]): void {
  if (searches.length > searchesMax) {
    field.invalid(searches, `must not have more than ${searchesMax} search paths`);
  }
  if (searches.join(" ").length > searchListMaxChars) {
    const limit = `must not have more than ${searchListMaxChars} characters (including spaces) in the search list`;
    field.invalid(searches, limit);
  }
  for (const [index, search] of searches.entries()) {
    const domain = search.endsWith(".") ? search.slice(0, -1) : search;
    if (search !== ".") field.index(index).invalidAll(domain, underscoreSubdomainProblems(domain));
  }
}
