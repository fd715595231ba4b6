import { closeSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import process from "node:process";
import { createLog, formatRecord } from "#base/log.ts";
import type { Log, LogLevel } from "#base/log.ts";

const fileBytesMax = 20 * 1024 * 1024;
const order: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * A log that is kept in a file, the newest 20 MB in it and as much in `FILE.1`. `KOGGE_LOG` sets the lowest level that is
 * written (default `info`).
 */
export function openFileLog(file: string): Log & Disposable {
  let descriptor = openSync(file, "a");
  let sizeBytes = statSync(file).size;
  const lowest = order.indexOf((process.env["KOGGE_LOG"] ?? "info") as LogLevel);
  const log = createLog((record) => {
    if (order.indexOf(record.level) < lowest) return;
    const line = `${formatRecord(record, new Date().toISOString())}\n`;
    if (sizeBytes > fileBytesMax) {
      closeSync(descriptor);
      renameSync(file, `${file}.1`);
      descriptor = openSync(file, "a");
      sizeBytes = 0;
    }
    sizeBytes += writeLine(descriptor, line);
  });
  return { ...log, [Symbol.dispose]: () => closeSync(descriptor) };
}

/** A log that cannot be written (a full disk) must not end the server. */
function writeLine(descriptor: number, line: string): number {
  try {
    return writeSync(descriptor, line);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") return 0;
    throw error;
  }
}
