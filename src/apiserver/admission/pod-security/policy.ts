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

/**
 * What a namespace's labels ask for. A level that cannot be read is the strictest for `enforce` and none for the
 * others; who enforces and says nothing of warnings warns of the same.
 */
export function readPolicy(labels: Readonly<Record<string, unknown>>): ReadPolicy {
  const problems: StatusCause[] = [];
  const policy = {
    enforce: readMode(labels, "enforce", problems),
    audit: readMode(labels, "audit", problems),
    warn: readMode(labels, "warn", problems),
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

type Mode = keyof Policy;

const prefix = "pod-security.kubernetes.io/";
const levelLabel = (mode: Mode): string => `${prefix}${mode}`;
const versionLabel = (mode: Mode): string => `${prefix}${mode}-version`;

function readMode(
  labels: Readonly<Record<string, unknown>>,
  mode: Mode,
  problems: StatusCause[],
): LevelVersion {
  const [level, version] = [labels[levelLabel(mode)], labels[versionLabel(mode)]];
  const refuse = (label: string, value: unknown, why: string): void => {
    problems.push({
      reason: "FieldValueInvalid",
      message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
      field: `metadata.labels[${label}]`,
    });
  };
  const read: { level: Level; minor: number | "latest" } = { level: "privileged", minor: "latest" };
  if (isLevel(level)) read.level = level;
  else if (level !== undefined) {
    refuse(levelLabel(mode), level, `must be one of ${levels.join(", ")}`);
    read.level = mode === "enforce" ? "restricted" : "privileged";
  }
  const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(String(version))?.[1];
  if (minor !== undefined) read.minor = Number(minor);
  else if (version !== undefined && version !== "latest")
    refuse(versionLabel(mode), version, 'must be "latest" or "v1.x"');
  return read;
}

function isLevel(value: unknown): value is Level {
  return levels.includes(value as Level);
}
