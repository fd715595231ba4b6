import { setTimeout as delay } from "node:timers/promises";
import { koggeBinary, start } from "#test/kogge-command.ts";

/** A `kogge server` or `kogge agent` in a process of its own, killed at the end of the block. */
export interface KoggeProcess extends AsyncDisposable {
  readonly output: { readonly text: string };
  /** Resolves when the output matches; throws when the process ends before. */
  said(pattern: RegExp): Promise<void>;
  /** Ends it with the signal and gives its exit code; null when the signal itself ended it. */
  end(signal: "SIGINT" | "SIGKILL"): Promise<number | null>;
}

const waitMs = 60_000;

/** `prefix` is a command to start it with, as `nsenter --net=…`. */
export function startKogge(words: readonly string[], prefix: readonly string[] = []): KoggeProcess {
  const [program = koggeBinary, ...rest] = [...prefix, koggeBinary, ...words];
  const { child, output } = start(program, rest, {});
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    output,
    async said(pattern) {
      const untilMs = Date.now() + waitMs;
      while (!pattern.test(output.text)) {
        if (isOver() || Date.now() > untilMs) {
          throw new Error(`kogge ${words.join(" ")} did not say ${pattern}:\n${output.text}`);
        }
        await delay(20);
      }
    },
    async end(signal) {
      child.kill(signal);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      if (!isOver()) child.kill("SIGINT");
      const timer = setTimeout(() => child.kill("SIGKILL"), waitMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Asks again and again until the answer is the wanted one. */
export async function eventually(ask: () => Promise<boolean>, what: string): Promise<void> {
  const untilMs = Date.now() + waitMs;
  for (;;) {
    if (await ask()) return;
    if (Date.now() > untilMs) throw new Error(`Cannot wait longer for ${what}`);
    await delay(100);
  }
}
