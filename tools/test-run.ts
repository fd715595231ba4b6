import process from "node:process";
import { run } from "node:test";

/** What a set of test files came to. */
export interface Totals {
  readonly passed: number;
  readonly failed: readonly { readonly file: string; readonly name: string }[];
  /** Names of skipped tests by the reason they gave. */
  readonly skipped: ReadonlyMap<string, readonly string[]>;
  readonly files: number;
}

/** No test file takes longer than this. */
const fileTimeoutMs = 15 * 60_000;

/** Runs each file in a process of its own, prints failures as they come and a line a file. */
export async function runFiles(
  files: readonly string[],
  options: { readonly concurrency: number },
): Promise<Totals> {
  const failed: { file: string; name: string }[] = [];
  const skipped = new Map<string, string[]>();
  let passed = 0;
  if (files.length === 0) return { passed, failed, skipped, files: 0 };
  const events = run({
    files: [...files],
    concurrency: options.concurrency,
    timeout: fileTimeoutMs,
  });
  events.on("test:pass", (result) => {
    if (result.details.type === "suite" || isFile(result.name, files)) return;
    if (result.skip === undefined || result.skip === false) passed += 1;
    else note(skipped, String(result.skip), result.name);
  });
  events.on("test:fail", (result) => {
    if (onlyReportsSubtests(result.details.error)) return;
    const file = result.file ?? result.name;
    failed.push({ file, name: result.name });
    process.stdout.write(`\n✖ ${result.name}\n${describe(result.details.error)}\n`);
  });
  events.on("test:stderr", (result) => process.stderr.write(result.message));
  events.on("test:stdout", (result) => process.stdout.write(result.message));
  for await (const _ of events);
  return { passed, failed, skipped, files: files.length };
}

/** A suite or file that failed because a test in it did: that test is reported itself. */
function onlyReportsSubtests(error: Error): boolean {
  return "failureType" in error && error.failureType === "subtestsFailed";
}

function isFile(name: string, files: readonly string[]): boolean {
  return (
    files.includes(name) || files.some((file) => file.endsWith(name) && name.endsWith(".test.ts"))
  );
}

function note(skipped: Map<string, string[]>, reason: string, name: string): void {
  const names = skipped.get(reason);
  if (names) names.push(name);
  else skipped.set(reason, [name]);
}

function describe(error: Error): string {
  const cause = error.cause;
  return cause instanceof Error
    ? (cause.stack ?? cause.message)
    : typeof cause === "string"
      ? cause
      : error.message;
}
