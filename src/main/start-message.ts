import type { RunningServer } from "#main/running-file.ts";

/** Tells the detached process when the command was given, so that `startupMs` is what the user waited. */
export const startedAtVariable = "KOGGE_STARTED_AT";

/** What the starting process tells the one that waits for it. */
export type StartMessage =
  | { readonly kind: "step"; readonly text: string }
  | { readonly kind: "ready"; readonly server: RunningServer }
  | { readonly kind: "failed"; readonly message: string };
