import type {
  Check,
  CheckedPod,
  CheckFunction,
  Violation,
} from "#apiserver/admission/pod-security/check.ts";
import { baselineChecks } from "#apiserver/admission/pod-security/checks/baseline-checks.ts";
import { profileChecks } from "#apiserver/admission/pod-security/checks/profile-checks.ts";
import { restrictedChecks } from "#apiserver/admission/pod-security/checks/restricted-checks.ts";
import type { LevelVersion } from "#apiserver/admission/pod-security/policy.ts";

/** What of a pod a level of a release does not allow, in upstream's order. */
export function violationsOf(
  pod: CheckedPod,
  { level, minor }: LevelVersion,
): readonly Violation[] {
  if (level === "privileged") return [];
  const at = minor === "latest" ? newest : Math.min(minor, newest);
  const checks = checksOf(level, at);
  return checks.map((check) => check(pod)).filter((violation) => violation !== undefined);
}

/** `host namespaces (hostPID=true), privileged (container "a" must not …)` */
export function violationsText(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");
}

const byId = (left: Check, right: Check): number => (left.id < right.id ? -1 : 1);
const ordered: readonly Check[] = [
  ...[...baselineChecks, ...profileChecks].toSorted(byId),
  ...[...restrictedChecks].toSorted(byId),
];

/** Releases after the last change are as this one. */
const newest = Math.max(...ordered.flatMap(({ versions }) => versions.map(({ since }) => since)));

function checksOf(level: "baseline" | "restricted", minor: number): readonly CheckFunction[] {
  const key = `${level}:${minor}`;
  let checks = known.get(key);
  if (checks === undefined) {
    const wanted = ordered.filter((check) => level === "restricted" || check.level === "baseline");
    const present = wanted.flatMap((check) => {
      const version = check.versions.findLast(({ since }) => since <= minor);
      return version === undefined ? [] : [{ ...check, check: version.check }];
    });
    const overridden = new Set(present.map(({ overrides }) => overrides));
    checks = present.filter(({ id }) => !overridden.has(id)).map(({ check }) => check);
    known.set(key, checks);
  }
  return checks;
}

/** At most two levels times the minor releases. */
const known = new Map<string, readonly CheckFunction[]>();
