import process from "node:process";
import { createProgress } from "#cli/progress.ts";
import type { Progress } from "#cli/progress.ts";
import type { RunningServer } from "#main/running-file.ts";

/** Tells the user that the cluster is there: one line of JSON, or what to do next. */
export function printReady(server: RunningServer, options: { readonly json?: boolean }): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(readyReport(server))}\n`);
    return;
  }
  const nodes = server.nodeCount === 1 ? "1 node" : `${server.nodeCount} nodes`;
  process.stdout.write(
    `Ready in ${(server.startupMs / 1000).toFixed(2)} s: ${nodes} (${server.runtime}) at ${server.server}\n`,
  );
  process.stdout.write(`\n  export KUBECONFIG=${server.kubeconfig}\n  kubectl get nodes\n`);
}

/** The fields that `up --json` and `status --json` share. */
export function readyReport(server: RunningServer): Omit<RunningServer, "processStart"> {
  const { processStart: _processStart, ...report } = server;
  return report;
}

export function progressHere(): Progress {
  const { stderr } = process;
  return createProgress(
    { write: (text) => void stderr.write(text), isTerminal: stderr.isTTY },
    () => performance.now(),
  );
}
