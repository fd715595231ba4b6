import type { Controller } from "#reconcile/controller.ts";
import { printWrite } from "#reconcile/ownership.ts";

/** The table of `README.md`: what each controller reads and writes. */
export function ownershipTable(controllers: readonly Controller[]): string {
  const rows = controllers.map(
    ({ name, reads, writes }) =>
      `| ${name} | ${reads.join(", ")} | ${writes.map(printWrite).join("; ")} |`,
  );
  return ["| controller | reads | writes |", "|---|---|---|", ...rows].join("\n");
}
