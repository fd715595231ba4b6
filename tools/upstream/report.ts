export interface Result {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** Why it failed, in upstream's words. */
  readonly why: string;
}

const separator = "\n------------------------------\n";

/** The results in what the program prints. */
export function resultsIn(text: string): readonly Result[] {
  const results = new Map<string, Result>();
  for (const block of text.split(separator)) {
    const [name = ""] = block.trimStart().split("\n");
    const end = /^• (?:\[(FAILED|TIMEDOUT|PANICKED|INTERRUPTED)\] )?\[([\d.]+) seconds\]/m.exec(
      block,
    );
    if (end === null || !name.startsWith("[sig-")) continue;
    const why = [...block.matchAll(/^ {2}\[FAILED\] (?!in \[)(.*)/gm)].at(-1)?.[1] ?? "";
    results.set(name, { name, passed: end[1] === undefined, seconds: Number(end[2]), why });
  }
  return [...results.values()];
}

/** Prints what failed and how many passed; returns the exit code. */
export function report(results: readonly Result[], output: string): number {
  const failed = results.filter(({ passed }) => !passed);
  for (const { name, seconds, why } of failed)
    console.log(`FAILED ${name} (${seconds} s)\n  ${why}`);
  if (failed.length > 0) console.log(`\nWhat the tests printed is in ${output}`);
  console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
  return failed.length > 0 || results.length === 0 ? 1 : 0;
}
