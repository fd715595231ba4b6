import { createHash } from "node:crypto";
import type { Pod, Toleration } from "#api/generated/types.ts";
import { checkFields } from "#api/decode/check-fields.ts";
import { decodeBody } from "#api/decode/decode-body.ts";
import type { JsonObject, Kind } from "#api/kind.ts";

/** Marks of a pod that runs because of a file, and of the object that stands for it in the API. */
export const staticMarks = {
  hash: "kubernetes.io/config.hash",
  seen: "kubernetes.io/config.seen",
  source: "kubernetes.io/config.source",
  mirror: "kubernetes.io/config.mirror",
} as const;

export interface ManifestContext {
  readonly nodeName: string;
  /** The file's path: two files with the same content are two pods. */
  readonly source: string;
  /** The kind of pods, whose schema, defaults and checks hold here as in the API. */
  readonly kind: Kind;
}

/**
 * The pod that a manifest (JSON or YAML) describes, named after the node as well, as kubelet does. Its uid comes from
 * its content, so that it is the same pod after a restart and another one after a change. Throws for what is none.
 */
export function readManifest(bytes: Uint8Array, context: ManifestContext): Pod {
  const { kind, nodeName } = context;
  const { value } = decodeBody(bytes, "application/yaml", { kind: "Pod" });
  const { object: pod } = checkFields(value, kind.schema, { mode: "Strict" });
  if (pod["apiVersion"] !== "v1" || pod["kind"] !== "Pod") throw new Error("it is not a v1 Pod");
  const uid = createHash("md5")
    .update(JSON.stringify(pod))
    .update(`host:${nodeName}file:${context.source}`)
    .digest("hex");
  const object = structuredClone(pod) as { metadata: Record<string, unknown>; spec: object };
  const given = pod as unknown as Pod;
  const { name = "", namespace = "default", annotations } = given.metadata;
  object.metadata = {
    ...given.metadata,
    uid: given.metadata.uid ?? uid,
    name: `${name}-${nodeName.toLowerCase()}`,
    namespace,
    annotations: { ...annotations, [staticMarks.hash]: uid, [staticMarks.source]: "file" },
  };
  object.spec = { ...given.spec, nodeName, tolerations: tolerationsOf(given) };
  if (given.spec?.resourceClaims?.length) throw new Error("static pods may not use ResourceClaims");
  kind.strategy.fillDefaults?.(object as unknown as JsonObject);
  const causes = kind.strategy.validate?.(object as unknown as JsonObject) ?? [];
  if (causes.length > 0) {
    throw new Error(causes.map(({ field, message }) => `${field}: ${message}`).join("; "));
  }
  return { ...(object as unknown as Pod), status: { phase: "Pending" } };
}

/** What befalls the node is no reason for such a pod to go. */
function tolerationsOf({ spec }: Pod): readonly Toleration[] {
  return [...(spec?.tolerations ?? []), { operator: "Exists", effect: "NoExecute" }];
}
