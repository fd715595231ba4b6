import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** What a file that a flag names holds, YAML or JSON. */
export function readYaml(file: string): unknown {
  return parse(readFileSync(file, "utf8"));
}
