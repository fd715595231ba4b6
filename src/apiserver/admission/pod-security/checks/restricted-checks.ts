import type { Container, Volume } from "#api/generated/types.ts";
import {
  containersOf,
  containersText,
  plural,
  quoted,
  settersText,
  sorted,
  unlessOwnUsers,
  unlessWindows,
  type Check,
  type CheckedPod,
  type Violation,
} from "#apiserver/admission/pod-security/check.ts";
import { procMount } from "#apiserver/admission/pod-security/checks/proc-mount.ts";
import { seccompRestricted } from "#apiserver/admission/pod-security/checks/seccomp.ts";

/** What the level `restricted` asks for beyond `baseline`. */
export const restrictedChecks: readonly Check[] = [
  {
    id: "allowPrivilegeEscalation",
    level: "restricted",
    versions: [
      { since: 8, check: privilegeEscalation },
      { since: 25, check: unlessWindows(privilegeEscalation) },
    ],
  },
  {
    id: "capabilities_restricted",
    level: "restricted",
    versions: [
      { since: 22, check: capabilities },
      { since: 25, check: unlessWindows(capabilities) },
    ],
    overrides: "capabilities_baseline",
  },
  {
    id: "procMount_restricted",
    level: "restricted",
    versions: [{ since: 35, check: procMount }],
    overrides: "procMount",
  },
  {
    id: "restrictedVolumes",
    level: "restricted",
    versions: [{ since: 0, check: volumes }],
    overrides: "hostPathVolumes",
  },
  {
    id: "runAsNonRoot",
    level: "restricted",
    versions: [
      { since: 0, check: runAsNonRoot },
      { since: 35, check: unlessOwnUsers(runAsNonRoot) },
    ],
  },
  {
    id: "runAsUser",
    level: "restricted",
    versions: [
      { since: 23, check: runAsUser },
      { since: 35, check: unlessOwnUsers(runAsUser) },
    ],
  },
  {
    id: "seccompProfile_restricted",
    level: "restricted",
    versions: [
      { since: 19, check: seccompRestricted },
      { since: 25, check: unlessWindows(seccompRestricted) },
    ],
    overrides: "seccompProfile_baseline",
  },
];

function privilegeEscalation(pod: CheckedPod): Violation | undefined {
  const bad = containersOf(pod).filter(
    ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  );
  if (bad.length === 0) return undefined;
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${containersText(namesOf(bad))} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

function capabilities(pod: CheckedPod): Violation | undefined {
  const all = containersOf(pod);
  const keeping = all.filter(
    ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"),
  );
  const addedBy = ({ securityContext }: Container): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== "NET_BIND_SERVICE");
  const adding = all.filter((container) => addedBy(container).length > 0);
  const details = [
    ...(keeping.length > 0
      ? [`${containersText(namesOf(keeping))} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(adding.length > 0
      ? [
          `${containersText(namesOf(adding))} must not include ${quoted(sorted(adding.flatMap(addedBy)))} in securityContext.capabilities.add`,
        ]
      : []),
  ];
  if (details.length === 0) return undefined;
  return { reason: "unrestricted capabilities", detail: details.join("; ") };
}

const allowedVolumes = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
] as const;

function volumes({ spec }: CheckedPod): Violation | undefined {
  const bad = (spec.volumes ?? []).filter(
    (volume) => !allowedVolumes.some((type) => volume[type] !== undefined),
  );
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map(typeOf));
  const names = bad.map(({ name }) => name);
  const use = bad.length === 1 ? "uses" : "use";
  return {
    reason: "restricted volume types",
    detail: `${plural("volume", names.length)} ${quoted(names)} ${use} ${plural("restricted volume type", types.length)} ${quoted(types)}`,
  };
}

function typeOf(volume: Volume): string {
  return Object.keys(volume).find((field) => field !== "name") ?? "unknown";
}

function runAsNonRoot(pod: CheckedPod): Violation | undefined {
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const all = containersOf(pod);
  const saying = (wanted: boolean | undefined): readonly string[] =>
    namesOf(all.filter(({ securityContext }) => securityContext?.runAsNonRoot === wanted));
  const reason = "runAsNonRoot != true";
  const setters = settersText(ofPod === false, saying(false));
  if (setters !== "") {
    return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  }
  const silent = ofPod === true ? [] : saying(undefined);
  if (silent.length === 0) return undefined;
  const who = `pod or ${containersText(silent)}`;
  return { reason, detail: `${who} must set securityContext.runAsNonRoot=true` };
}

function runAsUser(pod: CheckedPod): Violation | undefined {
  const roots = containersOf(pod).filter(({ securityContext }) => securityContext?.runAsUser === 0);
  const setters = settersText(pod.spec.securityContext?.runAsUser === 0, namesOf(roots));
  if (setters === "") return undefined;
  return { reason: "runAsUser=0", detail: `${setters} must not set runAsUser=0` };
}

function namesOf(containers: readonly Container[]): readonly string[] {
  return containers.map(({ name }) => name);
}
