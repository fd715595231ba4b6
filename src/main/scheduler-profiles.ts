import { readYaml } from "#main/yaml-file.ts";
import { readSchedulerConfiguration } from "#scheduler/configuration/read-configuration.ts";
import { pluginNames } from "#scheduler/plugins/plugin-names.ts";
import type { ProfileOptions } from "#scheduler/profiles.ts";

/** The profiles of a KubeSchedulerConfiguration file. */
export function readSchedulerProfiles(file: string): readonly ProfileOptions[] {
  try {
    return readSchedulerConfiguration(readYaml(file), pluginNames);
  } catch (cause) {
    throw new Error(`Cannot use --scheduler-config ${file}`, { cause });
  }
}
