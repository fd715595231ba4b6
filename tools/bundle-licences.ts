import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The licences of the packages that `inputs` (paths relative to `root`) come from: who bundles them passes them on. */
export function licencesOf(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((input) => packagePattern.exec(input)?.[0] ?? []));
  const texts = [...folders].toSorted().map((folder) => licenceOf(join(root, folder)));
  return `Kogge contains the following packages.\n\n${texts.join("\n\n")}`;
}

/** The innermost package: one may have others of its own. */
const packagePattern = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as { readonly name: string; readonly version: string; readonly license?: string };
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined && license === undefined)
    throw new Error(`Cannot bundle ${name}: it names no licence`);
  const text = file === undefined ? "" : `\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  return `## ${name} ${version} (${license ?? "see below"})\n${text}`;
}
