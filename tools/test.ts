import { globSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { runFiles } from "#tools/test-run.ts";
import type { Totals } from "#tools/test-run.ts";

// `npm test`: everything this machine can run, fast parts first. `--fast` leaves out what starts real parts
// (`*.system.test.ts`); a word limits the run to files whose path contains it.
const { values, positionals } = parseArgs({
  options: { fast: { type: "boolean", default: false } },
  allowPositionals: true,
});

const root = join(import.meta.dirname, "..");
const files = globSync(["src/**/*.test.ts", "tools/**/*.test.ts", "test/**/*.test.ts"], {
  cwd: root,
})
  .filter((file) => positionals.every((word) => file.includes(word)))
  .map((file) => join(root, file))
  .toSorted();
const isSystem = (file: string): boolean => file.endsWith(".system.test.ts");

const fast = await runFiles(
  files.filter((file) => !isSystem(file)),
  { concurrency: 2 },
);
const system = values.fast ? noTests() : await runFiles(files.filter(isSystem), { concurrency: 1 });
report([fast, system]);

function noTests(): Totals {
  return { passed: 0, failed: [], skipped: new Map(), files: 0 };
}

function report(parts: readonly Totals[]): void {
  const failed = parts.flatMap((part) => part.failed);
  const passed = parts.reduce((sum, part) => sum + part.passed, 0);
  const reasons = parts.flatMap((part) => [...part.skipped]);
  if (reasons.length > 0) console.log("\nSkipped:");
  for (const [reason, names] of reasons) {
    console.log(`  ${reason}: ${names.length}`);
    for (const name of names) console.log(`    ${name}`);
  }
  if (failed.length > 0) console.log("\nFailed:");
  for (const failure of failed) console.log(`  ${relative(root, failure.file)}: ${failure.name}`);
  const skipped = reasons.reduce((sum, [, names]) => sum + names.length, 0);
  console.log(`\n${passed} passed, ${failed.length} failed, ${skipped} skipped`);
  process.exitCode = failed.length > 0 || passed === 0 ? 1 : 0;
}
