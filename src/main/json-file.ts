import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

export class NotJsonError extends Error {
  override readonly name = "NotJsonError";
}

/** The file's value, or undefined when there is no such file. @throws NotJsonError */
export function readJsonFile<T>(file: string): T | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new NotJsonError(`Cannot read ${file}: it is not JSON`, { cause });
  }
}

/** Writes beside and renames, so that a reader, also one after a crash of the machine, sees the old value or the new. */
export function writeJsonFile(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { flush: true });
  renameSync(`${file}.new`, file);
}

export function removeFile(file: string): void {
  rmSync(file, { force: true });
}
