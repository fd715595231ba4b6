import type { Field } from "#api/validation/field.ts";

/** A path below a volume or a directory: relative, never climbing out of it. */
export function checkLocalPath(field: Field, path: string): void {
  if (path.startsWith("/")) field.invalid(path, "must be a relative path");
  checkNoBacksteps(field, path);
}

export function checkNoBacksteps(field: Field, path: string): void {
  if (hasBacksteps(path)) field.invalid(path, "must not contain '..'");
}

export function hasBacksteps(path: string): boolean {
  return path.split("/").includes("..");
}

/** A local path whose first part is not reserved for the volume's own bookkeeping (`..data`). */
export function checkUnreservedPath(field: Field, path: string): void {
  checkLocalPath(field, path);
  if (path.startsWith("..") && !path.startsWith("../")) {
    field.invalid(path, "must not start with '..'");
  }
}
