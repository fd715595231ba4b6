import type { StatusCause } from "#api/generated/types.ts";

/** The Pod Security Standards, from nothing refused to hardly anything allowed. */
export const levels = ["privileged", "baseline", "restricted"] as const;
export type Level = (typeof levels)[number];

/** A level as some minor release had it; "latest" as the newest one has it. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number | "latest";
}

export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

export interface ReadPolicy {
  readonly policy: Policy;
  /** Labels that could not be read. */
  readonly problems: readonly StatusCause[];
}

/** `restricted:latest`, `baseline:v1.30` */
export function levelText({ level, minor }: LevelVersion): string {
  return `${level}:${minor === "latest" ? "latest" : `v1.${minor}`}`;
}

export function compareLevels(left: Level, right: Level): number {
  return levels.indexOf(left) - levels.indexOf(right);
}

export function isPrivileged({ enforce, audit, warn }: Policy): boolean {
  return [enforce, audit, warn].every(({ level }) => level === "privileged");
}

/** Nothing is refused. */
export const privileged: Policy = {
  enforce: { level: "privileged", minor: "latest" },
  audit: { level: "privileged", minor: "latest" },
  warn: { level: "privileged", minor: "latest" },
};

/**
 * What a namespace's labels ask for; where they say nothing, `defaults` hold. A level that cannot be read is the strictest for `enforce` and none for the
 * others; who enforces and says nothing of warnings warns of the same.
 */
export function readPolicy(
  labels: Readonly<Record<string, unknown>>,
  defaults: Policy = privileged,
): ReadPolicy {
  const problems: StatusCause[] = [];
  const reading = { labels, defaults, problems };
  const policy = {
    enforce: readMode(reading, "enforce"),
    audit: readMode(reading, "audit"),
    warn: readMode(reading, "warn"),
  };
  const enforced = labels[levelLabel("enforce")];
  const inherits =
    isLevel(enforced) &&
    labels[levelLabel("warn")] === undefined &&
    compareLevels(enforced, policy.warn.level) > 0;
  if (!inherits) return { policy, problems };
  const own = labels[versionLabel("warn")] !== undefined;
  const minor = own ? policy.warn.minor : policy.enforce.minor;
  return { policy: { ...policy, warn: { level: enforced, minor } }, problems };
}

/** What labels ask for in vain where a namespace is exempt: `enforce=baseline:latest`; undefined where that is nothing. */
export function ignoredPolicy(
  labels: Readonly<Record<string, unknown>>,
  policy: Policy,
  defaults: Policy,
): string | undefined {
  const same = modes.every((mode) => levelText(policy[mode]) === levelText(defaults[mode]));
  if (isPrivileged(policy) || same) return undefined;
  const asked = modes.filter(
    (mode) =>
      policy[mode].level !== "privileged" &&
      (labels[levelLabel(mode)] !== undefined || labels[versionLabel(mode)] !== undefined),
  );
  return asked.map((mode) => `${mode}=${levelText(policy[mode])}`).join(", ");
}

type Mode = keyof Policy;

const modes: readonly Mode[] = ["enforce", "audit", "warn"];

const prefix = "pod-security.kubernetes.io/";
const levelLabel = (mode: Mode): string => `${prefix}${mode}`;
const versionLabel = (mode: Mode): string => `${prefix}${mode}-version`;

interface Reading {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly defaults: Policy;
  readonly problems: StatusCause[];
}

function readMode({ labels, defaults, problems }: Reading, mode: Mode): LevelVersion {
  const [level, version] = [labels[levelLabel(mode)], labels[versionLabel(mode)]];
  const refuse = (label: string, value: unknown, why: string): void => {
    problems.push({
      reason: "FieldValueInvalid",
      message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
      field: `metadata.labels[${label}]`,
    });
  };
  const read: { level: Level; minor: number | "latest" } = { ...defaults[mode] };
  if (isLevel(level)) read.level = level;
  else if (level !== undefined) {
    refuse(levelLabel(mode), level, `must be one of ${levels.join(", ")}`);
    read.level = mode === "enforce" ? "restricted" : "privileged";
  }
  if (version === undefined) return read;
  const minor = minorOf(version);
  if (minor === undefined) refuse(versionLabel(mode), version, 'must be "latest" or "v1.x"');
  read.minor = minor ?? "latest";
  return read;
}

/** Of `v1.30` or `latest`; undefined for anything else. */
export function minorOf(version: unknown): LevelVersion["minor"] | undefined {
  if (version === "latest") return version;
  const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(String(version))?.[1];
  return minor === undefined ? undefined : Number(minor);
}

export function isLevel(value: unknown): value is Level {
  return levels.includes(value as Level);
}
