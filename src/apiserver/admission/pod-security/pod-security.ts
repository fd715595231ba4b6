import type { Pod } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { invalid } from "#api/status.ts";
import { notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import type { PodSecurityConfiguration } from "#apiserver/admission/configuration/pod-security-configuration.ts";
import type { CheckedPod } from "#apiserver/admission/pod-security/check.ts";
import { violationsOf, violationsText } from "#apiserver/admission/pod-security/evaluate.ts";
import { namespaceWarnings } from "#apiserver/admission/pod-security/namespace-warnings.ts";
import { templateOf } from "#apiserver/admission/pod-security/pod-template.ts";
import {
  compareLevels,
  ignoredPolicy,
  isPrivileged,
  levelText,
  privileged,
  readPolicy,
  type LevelVersion,
  type ReadPolicy,
} from "#apiserver/admission/pod-security/policy.ts";
import { annotate } from "#apiserver/audit-notes.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, sameJson, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/**
 * Holds pods to the Pod Security Standard that their namespace's labels name, or else the configuration; warns of
 * workloads whose pods would not pass.
 */
export function createPodSecurity(
  configuration: PodSecurityConfiguration = unconfigured,
): AdmissionPlugin {
  return {
    name: "PodSecurity",
    validate(call, attempt) {
      const { operation, object } = attempt;
      if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
      const { group, resource } = call.kind;
      const name = group === "" ? resource : `${resource}.${group}`;
      const check = { call, attempt, configuration };
      if (name === "namespaces") checkNamespace(check, object);
      else if (name === "pods") checkPod(check, object as unknown as Pod);
      else if (call.info.subresource === "") {
        const template = templateOf(name, object);
        if (template !== undefined) judge(check, { pod: template, enforced: false });
      }
    },
  };
}

const unconfigured: PodSecurityConfiguration = {
  defaults: privileged,
  exemptions: { usernames: new Set(), namespaces: new Set(), runtimeClasses: new Set() },
};

interface Check {
  readonly call: Call;
  readonly attempt: Attempt;
  readonly configuration: PodSecurityConfiguration;
}

const prefix = "pod-security.kubernetes.io/";

function checkPod(check: Check, pod: Pod): void {
  const { call, attempt } = check;
  if (unchecked.has(call.info.subresource) || pod.spec === undefined) return;
  const old = attempt.old as unknown as Pod | undefined;
  if (attempt.operation === "UPDATE" && old !== undefined && !hasNewImages(pod, old)) return;
  const checked = { metadata: pod.metadata, spec: pod.spec };
  judge(check, { pod: checked, enforced: true });
}

/** Subresources through which a pod's containers do not change. */
const unchecked: ReadonlySet<string> = new Set([
  "exec",
  "attach",
  "binding",
  "eviction",
  "log",
  "portforward",
  "proxy",
  "status",
]);

/** Of a pod that is there only another container or another image counts. */
function hasNewImages(pod: Pod, old: Pod): boolean {
  const images = (list: readonly { readonly image?: string }[] | undefined) =>
    (list ?? []).map(({ image }) => image ?? "");
  const [spec, before] = [pod.spec, old.spec];
  if (!sameJson(images(spec?.containers), images(before?.containers))) return true;
  if (!sameJson(images(spec?.initContainers), images(before?.initContainers))) return true;
  return (spec?.ephemeralContainers ?? []).some(({ name, image }) => {
    const known = before?.ephemeralContainers?.find((one) => one.name === name);
    return known === undefined || known.image !== image;
  });
}

interface Judged {
  readonly pod: CheckedPod;
  /** Whether a violation refuses the write: of pods, not of what makes them. */
  readonly enforced: boolean;
}

function judge(check: Check, { pod, enforced }: Judged): void {
  const { call, attempt } = check;
  const exemption = exemptionOf(check, pod);
  if (exemption !== undefined) return annotate(call.request, `${prefix}exempt`, exemption);
  const { policy, problems } = policyOf(check);
  if (problems.length === 0 && isPrivileged(policy)) {
    if (enforced) annotate(call.request, `${prefix}enforce-policy`, levelText(policy.enforce));
    return;
  }
  const { enforce, audit, warn } = policy;
  const audited = violationsText(violationsOf(pod, audit));
  if (enforced) annotate(call.request, `${prefix}enforce-policy`, levelText(enforce));
  if (audited !== "") {
    const text = `would violate PodSecurity "${levelText(audit)}": ${audited}`;
    annotate(call.request, `${prefix}audit-violations`, text);
  }
  const refused = enforced ? violationsText(violationsOf(pod, enforce)) : "";
  if (refused !== "") {
    throw notAdmitted(call, attempt, `violates PodSecurity "${levelText(enforce)}": ${refused}`);
  }
  const warned = violationsText(violationsOf(pod, warn));
  if (warned === "") return;
  call.warnings.add(`would violate PodSecurity "${levelText(warn)}": ${warned}`);
}

/** Why nobody looks at a pod. */
function exemptionOf({ call, configuration }: Check, pod: CheckedPod): string | undefined {
  const { namespaces, usernames, runtimeClasses } = configuration.exemptions;
  if (namespaces.has(call.info.namespace)) return "namespace";
  if (usernames.has(call.user.name)) return "user";
  return runtimeClasses.has(pod.spec.runtimeClassName ?? "") ? "runtimeClass" : undefined;
}

function policyOf({ call, configuration }: Check): ReadPolicy {
  const namespaces = { group: "", resource: "namespaces" };
  const namespace = lookUp(call.server, namespaces, { name: call.info.namespace });
  return readPolicy(labelsOf(namespace), configuration.defaults);
}

/** Labels must be readable; a stricter level is told which pods it would refuse. */
function checkNamespace(check: Check, namespace: JsonObject): void {
  const { call, attempt, configuration } = check;
  const { operation, old } = attempt;
  const { defaults, exemptions } = configuration;
  if (call.info.subresource !== "") return;
  const labels = labelsOf(namespace);
  const next = readPolicy(labels, defaults);
  const name = stringAt(objectAt(namespace, "metadata"), "name");
  const before = operation === "UPDATE" ? readPolicy(labelsOf(old), defaults) : undefined;
  const wrong = next.problems.length > 0 && !sameJson(next.problems, before?.problems);
  if (wrong) throw invalid(call.kind, name, next.problems);
  if (before !== undefined && !isStricter(next.policy.enforce, before.policy.enforce)) return;
  if (exemptions.namespaces.has(name)) {
    const ignored = ignoredPolicy(labels, next.policy, defaults);
    if (ignored !== undefined)
      call.warnings.add(
        `namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${ignored}) will be ignored`,
      );
  } else if (before !== undefined) {
    const concern = {
      level: next.policy.enforce,
      isExempt: (runtimeClass: string) => exemptions.runtimeClasses.has(runtimeClass),
    };
    for (const text of namespaceWarnings(call.server, name, concern)) call.warnings.add(text);
  }
}

function isStricter(wanted: LevelVersion, had: LevelVersion): boolean {
  if (wanted.level === "privileged") return false;
  return wanted.minor !== had.minor || compareLevels(wanted.level, had.level) > 0;
}

function labelsOf(namespace: JsonObject | undefined): JsonObject {
  return objectAt(objectAt(namespace, "metadata"), "labels");
}
