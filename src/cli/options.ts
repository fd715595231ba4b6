import { Option } from "commander";

export interface DataDirOption {
  readonly dataDir?: string;
}

export interface JsonOption {
  readonly json?: boolean;
}

export const dataDir = (): Option =>
  new Option("--data-dir <dir>", "where the cluster keeps everything (or KOGGE_DATA_DIR)");
export const json = (): Option => new Option("--json", "print one JSON object on the last line");

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
