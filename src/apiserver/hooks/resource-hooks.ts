import type { JsonObject } from "#api/kind.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * What some built-in resources need of the server while they are written, beyond what a kind's strategy can do
 * alone: addresses to allocate, a second list of finalizers to wait for.
 */
export interface ResourceHook {
  /** Before the object is stored. What it returns is called when the write fails or the run was dry. */
  readonly beforeWrite?: (write: HookedWrite) => (() => void) | Promise<() => void>;
  /** Whether the object may go once `metadata.finalizers` is empty. */
  readonly mayRemove?: (object: JsonObject) => boolean;
  /** In place, when deletion begins but the object stays for now. */
  readonly markDeleting?: (object: JsonObject) => void;
  readonly afterRemove?: (server: ServerState, object: JsonObject) => void;
  /** The text of a warning about a DELETE that leaves open what happens to dependents. */
  readonly undecidedDeletion?: string;
  /** DELETE answers the object instead of a `Status`. */
  readonly returnsDeleted?: boolean;
}

export interface HookedWrite {
  readonly server: ServerState;
  /** May be changed. */
  readonly object: JsonObject;
  readonly old: JsonObject | undefined;
  readonly dryRun: boolean;
}

/** By `GROUP/RESOURCE`. */
export type ResourceHooks = ReadonlyMap<string, ResourceHook>;

export function hookOf(
  server: ServerState,
  resource: { readonly group: string; readonly resource: string },
): ResourceHook {
  return server.hooks.get(`${resource.group}/${resource.resource}`) ?? {};
}
