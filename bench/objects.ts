import { join } from "node:path";
import process from "node:process";
import { printTable, runNode, temporaryDirectory } from "#bench/measure.ts";
import type { ObjectsReport } from "#bench/objects-load.ts";

/**
 * What a stored object costs: the API server over a store of 1,000 and of 150,000 pods of 2 KB, against a process that
 * opens the same store and holds the same bytes. `node bench/objects.ts [SMALL] [LARGE]`
 */
const [small = 1_000, large = 150_000] = process.argv.slice(2).map(Number);
const program = join(import.meta.dirname, "objects-load.ts");

const rows: (string | number)[][] = [];
const seen: Record<string, ObjectsReport> = {};
for (const count of [small, large]) {
  using directory = temporaryDirectory();
  const store = join(directory.path, "store");
  await runNode([program, "fill", store, String(count)]);
  for (const mode of ["bare", "server"] as const) {
    const report = await run(mode, store);
    seen[`${mode} ${count}`] = report;
    rows.push([
      `${count} pods, ${mode === "bare" ? "the bytes alone" : "API server"}`,
      report.startMs,
      report.startCpuMs,
      report.memory.residentMb,
      report.memory.anonymousMb,
      report.listMs,
      report.getMicros,
    ]);
  }
}
printTable(
  ["", "start ms", "CPU ms", "resident MB", "anonymous MB", "list all ms", "get µs"],
  rows,
);
for (const mode of ["bare", "server"]) {
  const less = seen[`${mode} ${small}`];
  const more = seen[`${mode} ${large}`];
  if (less === undefined || more === undefined) continue;
  const objects = large - small;
  const micros = ((more.startMs - less.startMs) * 1_000) / objects;
  const cpuMicros = ((more.startCpuMs - less.startCpuMs) * 1_000) / objects;
  const bytes = ((more.memory.anonymousMb - less.memory.anonymousMb) * 1024 * 1024) / objects;
  console.log(
    `${mode}: ${micros.toFixed(1)} µs (${cpuMicros.toFixed(1)} of CPU) and ${bytes.toFixed(0)} bytes of its own for each further pod`,
  );
}

async function run(mode: string, store: string): Promise<ObjectsReport> {
  const { output } = await runNode(["--expose-gc", program, mode, store]);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as ObjectsReport;
}
