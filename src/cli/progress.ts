/** Says on standard error what is under way, so that standard output stays for results. */
export interface Progress {
  /** Begins a step; the one before it is done. */
  step(text: string): void;
  /** Ends the last step. */
  done(): void;
}

export interface ProgressOutput {
  write(text: string): void;
  readonly isTerminal: boolean;
}

/** A line a step, with how long it took where that is worth saying. `nowMs` gives the time. */
export function createProgress(output: ProgressOutput, nowMs: () => number): Progress {
  let current: { text: string; startMs: number } | undefined;
  const finish = (): void => {
    if (current === undefined) return;
    const tookMs = nowMs() - current.startMs;
    const took = tookMs < noteworthyMs ? "" : ` (${(tookMs / 1000).toFixed(1)} s)`;
    if (output.isTerminal) output.write(`\r✓ ${current.text}${took}\n`);
    else if (took !== "") output.write(`  ${current.text}: done${took}\n`);
    current = undefined;
  };
  return {
    step(text) {
      finish();
      current = { text, startMs: nowMs() };
      output.write(output.isTerminal ? `… ${text}` : `${text}\n`);
    },
    done: finish,
  };
}

const noteworthyMs = 200;
