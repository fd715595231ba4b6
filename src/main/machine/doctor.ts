import process from "node:process";
import type { DataDirOption, JsonOption } from "#cli/options.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import { chooseRuntime } from "#main/machine/choose-runtime.ts";
import { examineMachine } from "#main/machine/findings.ts";
import type { Finding } from "#main/machine/findings.ts";

/** `kogge doctor`: what this machine can and cannot do. */
export async function doctor(options: DataDirOption & JsonOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const findings = examineMachine(directory.root);
  const choice = chooseRuntime("auto");
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ runtime: choice.runtime, findings })}\n`);
    return;
  }
  for (const finding of findings) process.stdout.write(lineOf(finding));
  const conclusion =
    choice.runtime === "containerd"
      ? "\nReal containers can run here: `kogge up` uses containerd.\n"
      : `\n\`kogge up\` simulates nodes here: ${choice.why ?? ""}.\n`;
  process.stdout.write(conclusion);
}

const marks = { ok: "ok     ", missing: "missing", limited: "limited" } as const;

function lineOf(finding: Finding): string {
  const head = `${marks[finding.state]}  ${finding.name.padEnd(13)} ${finding.detail}\n`;
  if (finding.state === "ok") return head;
  const remedy = finding.remedy === undefined ? "" : `; ${finding.remedy}`;
  return `${head}         needed for ${finding.neededFor}${remedy}\n`;
}
