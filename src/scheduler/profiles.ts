import type { Pod } from "#api/generated/types.ts";
import type { Random } from "#base/random.ts";
import type { Plugin } from "#scheduler/framework.ts";
import { SchedulingCycle } from "#scheduler/scheduling-cycle.ts";

export const schedulerName = "default-scheduler";

/** How one kind of pods is placed: those that ask for the scheduler of this name. */
export interface ProfileOptions {
  readonly schedulerName: string;
  /** Names of plugins that take no part; weights of those that score otherwise than usual. */
  readonly disabled: ReadonlySet<string>;
  readonly disabledScores: ReadonlySet<string>;
  readonly weights: ReadonlyMap<string, number>;
  /** Of 100 nodes, how many fitting ones are compared; 0: as the size of the cluster has it. */
  readonly percentageOfNodesToScore: number;
}

export interface Profile {
  readonly schedulerName: string;
  readonly plugins: readonly Plugin[];
  readonly cycle: SchedulingCycle;
}

export const defaultProfile: ProfileOptions = {
  schedulerName,
  disabled: new Set(),
  disabledScores: new Set(),
  weights: new Map(),
  percentageOfNodesToScore: 0,
};

export function createProfiles(
  plugins: readonly Plugin[],
  options: readonly ProfileOptions[],
  random: Random,
): ReadonlyMap<string, Profile> {
  return new Map(
    options.map((profile) => {
      const chosen = plugins.flatMap((plugin) => configured(plugin, profile));
      const cycle = new SchedulingCycle(chosen, random, profile.percentageOfNodesToScore);
      return [
        profile.schedulerName,
        { schedulerName: profile.schedulerName, plugins: chosen, cycle },
      ];
    }),
  );
}

export function schedulerNameOf({ spec }: Pod): string {
  return spec?.schedulerName ?? schedulerName;
}

function configured(plugin: Plugin, profile: ProfileOptions): readonly Plugin[] {
  const { name } = plugin;
  if (profile.disabled.has(name)) return [];
  const weight = profile.weights.get(name);
  const weighed = weight === undefined ? plugin : { ...plugin, weight };
  if (!profile.disabledScores.has(name)) return [weighed];
  const { score: _score, preScore: _preScore, normalize: _normalize, ...rest } = weighed;
  return [rest];
}
