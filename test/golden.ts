import { deepEqual } from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { parse, stringify } from "yaml";

/**
 * Golden plans: a folder of files that each hold a state (`given`) and what is to be done in it (`plan`). With
 * `KOGGE_GOLDEN=write` the plans are written anew; whoever does so reads the difference.
 */
export function goldenPlans<State>(folder: string, plan: (given: State) => unknown): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".yaml"))) {
    const file = join(folder, name);
    const golden = parse(readFileSync(file, "utf8")) as Golden<State>;
    test(golden.title, () => {
      const made: unknown = JSON.parse(JSON.stringify(plan(golden.given)));
      if (process.env["KOGGE_GOLDEN"] === "write") {
        writeFileSync(file, stringify({ ...golden, plan: made }, { lineWidth: 110 }));
      } else deepEqual(made, golden.plan);
    });
  }
}

interface Golden<State> {
  /** A sentence. */
  readonly title: string;
  readonly given: State;
  readonly plan: unknown;
}
