import type { Namespace } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Filling, type Given, itemsOf, objectIn } from "#api/validation/given.ts";

const nameLabel = "kubernetes.io/metadata.name";

/** The finalizer in the spec keeps a namespace until its controller has emptied it. */
export const namespaceStrategy = strategyFor<Namespace>({
  nameRule: "dns1123Label",
  hasGeneration: false,
  fillDefaults(namespace) {
    labelWithName(namespace);
    objectIn(namespace, "status").phase ||= "Active";
  },
  prepareForCreate(namespace) {
    namespace.status = { phase: "Active" };
    labelWithName(namespace);
    const spec = objectIn(namespace, "spec");
    const finalizers = itemsOf(spec.finalizers);
    if (!finalizers.includes("kubernetes")) spec.finalizers = [...finalizers, "kubernetes"];
  },
  prepareForUpdate(namespace, old) {
    objectIn(namespace, "spec").finalizers = [...itemsOf(old.spec?.finalizers)];
    labelWithName(namespace);
  },
  validate(root, namespace) {
    checkFinalizers(root.child("spec", "finalizers"), namespace);
  },
  validateStatusUpdate(root, namespace) {
    const phase = namespace.status?.phase;
    const wanted = namespace.metadata?.deletionTimestamp ? "Terminating" : "Active";
    if (phase === wanted) return;
    const when = wanted === "Active" ? "is empty" : "is not empty";
    root
      .child("status", "Phase")
      .invalid(phase ?? "", `may only be '${wanted}' if \`deletionTimestamp\` ${when}`);
  },
  selectableFields: { "status.phase": (namespace) => namespace.status?.phase ?? "" },
});

function labelWithName(namespace: Filling<Namespace>): void {
  const metadata = objectIn(namespace, "metadata");
  if (metadata.name) metadata.labels = { ...metadata.labels, [nameLabel]: metadata.name };
}

function checkFinalizers(field: Field, namespace: Given<Namespace>): void {
  for (const [index, finalizer] of itemsOf(namespace.spec?.finalizers).entries()) {
    const at = field.index(index);
    at.invalidAll(finalizer, qualifiedNameProblems(finalizer));
    if (!finalizer.includes("/") && finalizer !== "kubernetes") {
      at.invalid(finalizer, "name is neither a standard finalizer name nor is it fully qualified");
    }
  }
}
