import type { OwnerReference } from "#api/generated/types.ts";

/** How an owner that a reference names is found to be. */
export type OwnerState =
  /** There, and not waiting for this dependent. */
  | "solid"
  /** Gone, or another object by now. */
  | "absent"
  /** Being deleted after its dependents, and this one blocks it. */
  | "waiting";

export interface ObservedDependent {
  readonly owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[];
  readonly hasDependents: boolean;
  /** A dependent that is itself waiting: then the two might wait for each other. */
  readonly dependentWaits: boolean;
  readonly finalizers: readonly string[];
}

export type CollectionAction =
  | { readonly kind: "keep" }
  /** Forget owners that do not matter any more: others still do. */
  | { readonly kind: "dropOwners"; readonly uids: readonly string[] }
  | {
      readonly kind: "delete";
      readonly policy: "Foreground" | "Background" | "Orphan";
      /** First say that this dependent no longer blocks its owners. */
      readonly unblock: boolean;
    };

/** What becomes of an object whose owners have changed, as upstream's garbage collector decides. */
export function planCollection(observed: ObservedDependent): CollectionAction {
  const { owners, finalizers } = observed;
  if (owners.length === 0) return { kind: "keep" };
  const lost = owners.filter(({ state }) => state !== "solid");
  if (lost.length === 0) return { kind: "keep" };
  if (lost.length < owners.length) {
    return { kind: "dropOwners", uids: lost.map(({ reference }) => reference.uid) };
  }
  const waited = owners.some(({ state }) => state === "waiting");
  if (waited && observed.hasDependents) {
    return { kind: "delete", policy: "Foreground", unblock: observed.dependentWaits };
  }
  if (finalizers.includes("orphan")) return { kind: "delete", policy: "Orphan", unblock: false };
  const foreground = finalizers.includes("foregroundDeletion");
  return { kind: "delete", policy: foreground ? "Foreground" : "Background", unblock: false };
}
