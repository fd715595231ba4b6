import { dirname, resolve } from "node:path";
import type { AdmissionChoice } from "#apiserver/admission/admission-order.ts";
import { readAdmissionConfiguration } from "#apiserver/admission/configuration/admission-configuration.ts";
import { readYaml } from "#main/yaml-file.ts";

/** What an `AdmissionConfiguration` file tells the plugins; files that it names lie beside it, unless it says otherwise. */
export function readAdmissionFile(file: string): Pick<AdmissionChoice, "configuration"> {
  try {
    const readFile = (path: string): unknown => readYaml(resolve(dirname(file), path));
    return { configuration: readAdmissionConfiguration(readYaml(file), readFile) };
  } catch (cause) {
    throw new Error(`Cannot use --admission-control-config-file ${file}`, { cause });
  }
}
