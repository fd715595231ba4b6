import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import type { Field } from "#api/validation/field.ts";
import {
  checkKind,
  fieldsOf,
  listAt,
  textAt,
  type Fields,
} from "#apiserver/admission/configuration/fields.ts";
import {
  isLevel,
  levels,
  minorOf,
  type Level,
  type LevelVersion,
  type Policy,
} from "#apiserver/admission/pod-security/policy.ts";

export interface PodSecurityConfiguration {
  /** For namespaces whose labels say nothing. */
  readonly defaults: Policy;
  readonly exemptions: PodSecurityExemptions;
}

/** Who and what is not held to any standard. */
export interface PodSecurityExemptions {
  readonly usernames: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<string>;
  readonly runtimeClasses: ReadonlySet<string>;
}

/** `PodSecurityConfiguration`; what is wrong is noted at its field. */
export function readPodSecurity(value: unknown, field: Field): PodSecurityConfiguration {
  const file = fieldsOf(value, field, ["apiVersion", "kind", "defaults", "exemptions"]);
  checkKind(file, expected, field);
  const place = field.child("defaults");
  const names = modes.flatMap((mode) => [mode, `${mode}-version`]);
  const defaults = fieldsOf(file["defaults"], place, names);
  const exempt = field.child("exemptions");
  const exemptions = fieldsOf(file["exemptions"], exempt, Object.keys(nameProblems));
  return {
    defaults: {
      enforce: readMode(defaults, "enforce", place),
      audit: readMode(defaults, "audit", place),
      warn: readMode(defaults, "warn", place),
    },
    exemptions: {
      usernames: readNames(exemptions, "usernames", exempt),
      namespaces: readNames(exemptions, "namespaces", exempt),
      runtimeClasses: readNames(exemptions, "runtimeClasses", exempt),
    },
  };
}

const group = "pod-security.admission.config.k8s.io";
const expected = {
  versions: [`${group}/v1`, `${group}/v1beta1`, `${group}/v1alpha1`],
  kind: "PodSecurityConfiguration",
};
const modes = ["enforce", "audit", "warn"] as const;

function readMode(defaults: Fields, mode: (typeof modes)[number], field: Field): LevelVersion {
  const level = textAt(defaults, mode, field) || "privileged";
  const version = textAt(defaults, `${mode}-version`, field) || "latest";
  if (!isLevel(level)) field.child(mode).invalid(level, `must be one of ${levels.join(", ")}`);
  const minor = minorOf(version);
  if (minor === undefined)
    field.child(`${mode}-version`).invalid(version, 'must be "latest" or "v1.x"');
  return { level: level as Level, minor: minor ?? "latest" };
}

const nameProblems: Readonly<
  Record<keyof PodSecurityExemptions, (name: string) => readonly string[]>
> = {
  usernames: (name) => (name === "" ? ["username must not be empty"] : []),
  namespaces: dns1123LabelProblems,
  runtimeClasses: dns1123SubdomainProblems,
};

function readNames(
  exemptions: Fields,
  what: keyof PodSecurityExemptions,
  field: Field,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [at, name] of listAt(exemptions, what, field).entries()) {
    const place = field.child(what).index(at);
    if (typeof name !== "string") {
      place.invalid(name, "must be a string");
      continue;
    }
    const problems = nameProblems[what](name);
    if (problems.length > 0) place.invalid(name, problems.join(", "));
    else if (names.has(name)) place.duplicate(name);
    names.add(name);
  }
  return names;
}
