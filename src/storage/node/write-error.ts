import { statfs } from "node:fs/promises";

/** Says that the disk is full where it is: LMDB reports a write cut short by it as an input/output error. */
export async function writeError(
  action: string,
  directory: string,
  cause: unknown,
): Promise<Error> {
  const reason = await causeOf(cause);
  const message = reason instanceof Error ? reason.message : String(reason);
  const why = (await isFull(directory, message)) ? "the disk is full" : message;
  return new Error(`Cannot ${action}: ${why}`, { cause: reason });
}

/** lmdb hides the reason of a failed commit in a promise that rejects with it. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && "commitError" in error)) return error;
  try {
    await error.commitError;
  } catch (cause) {
    return cause;
  }
  return error;
}

async function isFull(directory: string, message: string): Promise<boolean> {
  if (/no space left|disk quota|MDB_MAP_FULL/i.test(message)) return true;
  if (!/input\/output error/i.test(message)) return false;
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize < roomMinBytes;
}

/** With less room than the largest commit takes, an input/output error is put down to the lack of it. */
const roomMinBytes = 16 << 20;
