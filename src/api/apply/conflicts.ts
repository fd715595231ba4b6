import { StatusError } from "#api/status.ts";
import { forEachPath, type FieldSet } from "#api/apply/field-set.ts";
import type { Manager } from "#api/apply/managers.ts";
import { printPath } from "#api/apply/paths.ts";

/** The fields that another manager owns and an apply would change. */
export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

/** The 409 that names every field and its manager, as kubectl shows it. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const found = conflicts
    .map(({ manager, fields }) => ({ manager: printManager(manager), paths: pathsOf(fields) }))
    .toSorted((a, b) => (a.manager < b.manager ? -1 : 1));
  const causes = found.flatMap(({ manager, paths }) =>
    paths.map((field) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${manager}`,
      field,
    })),
  );
  return new StatusError({
    code: 409,
    reason: "Conflict",
    message: messageOf(found, causes.length),
    details: { causes: causes.slice(0, causesMax) },
  });
}

const causesMax = 1000;

interface Found {
  readonly manager: string;
  readonly paths: readonly string[];
}

function messageOf(found: readonly Found[], count: number): string {
  const [first] = found;
  if (count === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.paths[0]}`;
  }
  const lists = found.map(
    ({ manager, paths }) =>
      `conflicts with ${manager}:\n${paths.map((path) => `- ${path}`).join("\n")}`,
  );
  return `Apply failed with ${count} conflicts: ${lists.join("\n")}`;
}

function printManager({ manager, subresource, operation, apiVersion }: Manager): string {
  const name = JSON.stringify(manager);
  const through = subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return operation === "Update" ? `${name}${through} using ${apiVersion}` : name + through;
}

function pathsOf(fields: FieldSet): string[] {
  const paths: string[] = [];
  forEachPath(fields, (path) => paths.push(printPath(path)));
  return paths;
}
