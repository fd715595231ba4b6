import type { AdmissionConfiguration } from "#apiserver/admission/configuration/admission-configuration.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";

/** Which plugins act beyond those that do by default, which of these do not, and what they are told. */
export interface AdmissionChoice {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
  readonly configuration?: AdmissionConfiguration;
}

/**
 * The plugins that act, in upstream's order. Throws where the choice names a plugin that there is not, or the same
 * one twice over.
 */
export function chosenPlugins(
  plugins: readonly AdmissionPlugin[],
  { enable = [], disable = [] }: AdmissionChoice = {},
): readonly AdmissionPlugin[] {
  const present = new Map(plugins.map((plugin) => [plugin.name, plugin]));
  assertPresent(present, "enable", enable);
  assertPresent(present, "disable", disable);
  const both = enable.filter((name) => disable.includes(name));
  if (both.length > 0) {
    throw new Error(
      `[${both.join(" ")}] in enable-admission-plugins and disable-admission-plugins overlapped`,
    );
  }
  return order.flatMap(({ name, byDefault }) => {
    const plugin = present.get(name);
    const acts = enable.includes(name) || (byDefault && !disable.includes(name));
    return plugin !== undefined && acts ? [plugin] : [];
  });
}

function assertPresent(
  present: ReadonlyMap<string, AdmissionPlugin>,
  verb: "enable" | "disable",
  names: readonly string[],
): void {
  const unknown = names.find((name) => !present.has(name));
  if (unknown === undefined) return;
  throw new Error(`${verb}-admission-plugins plugin ${JSON.stringify(unknown)} is unknown`);
}

interface Ordered {
  readonly name: string;
  readonly byDefault: boolean;
}

const on = (name: string): Ordered => ({ name, byDefault: true });
const off = (name: string): Ordered => ({ name, byDefault: false });

/** Upstream's order. `NodeRestriction` is on, as its installers have it. */
const order: readonly Ordered[] = [
  on("NamespaceLifecycle"),
  off("LimitPodHardAntiAffinityTopology"),
  on("LimitRanger"),
  on("ServiceAccount"),
  on("NodeRestriction"),
  on("TaintNodesByCondition"),
  off("AlwaysPullImages"),
  on("PodSecurity"),
  off("PodNodeSelector"),
  on("Priority"),
  on("DefaultTolerationSeconds"),
  off("PodTolerationRestriction"),
  off("ExtendedResourceToleration"),
  on("DefaultStorageClass"),
  on("StorageObjectInUseProtection"),
  off("OwnerReferencesPermissionEnforcement"),
  on("PersistentVolumeClaimResize"),
  on("RuntimeClass"),
  on("CertificateApproval"),
  on("CertificateSigning"),
  on("CertificateSubjectRestriction"),
  on("DefaultIngressClass"),
  off("DenyServiceExternalIPs"),
  on("PodTopologyLabels"),
  on("PodResizeValidator"),
  on("MutatingAdmissionPolicy"),
  on("MutatingAdmissionWebhook"),
  on("ValidatingAdmissionPolicy"),
  on("ValidatingAdmissionWebhook"),
  on("ResourceQuota"),
];
