import type { StatusCause } from "#api/generated/types.ts";
import type { ConversionWebhook } from "#api/custom/conversion-webhook.ts";
import type { Json } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import type { Schema } from "#api/schema.ts";

/**
 * All the API server knows about a kind: data and small functions. Built-in kinds are listed in
 * `api/kinds/`; a custom resource becomes the same thing from its definition.
 */
export interface Kind extends Resource {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  readonly schema: Schema;
  readonly subresources: readonly Subresource[];
  readonly columns: readonly Column[];
  /** What is said of a whole row of a table: that a pod is completed. */
  readonly rowConditions?: (object: JsonObject) => readonly JsonObject[];
  readonly strategy: Strategy;
  /** The kind of a list of them where that is not the kind's name and `List`. */
  readonly listKind?: string;
  /** The text of a warning that every request to the kind gets. */
  readonly deprecationWarning?: string;
  /** The schema of a custom kind as its definition has it, for OpenAPI. */
  readonly openApiSchema?: JsonObject;
  /** Of a custom kind: another one when its definition or its names change, which ends its watches. */
  readonly edition?: string;
  /** Where the scale subresource finds its values. Default: the places that built-in workloads have. */
  readonly scale?: ScalePaths;
  /**
   * Where the objects are kept. Kinds of several groups or versions may share it
   * (`events` and `events.events.k8s.io`), then `convert` changes between the forms.
   */
  readonly stored: StoredAs;
}

/** The fields that lead to a value of an object's scale. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly labelSelector?: readonly string[];
}

export interface StoredAs {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  /** From the stored form to this kind's, and back. Absent where they are the same. */
  readonly convert?: {
    fromStored(object: JsonObject): JsonObject;
    toStored(object: JsonObject): JsonObject;
  };
  /** Present where only a webhook can tell how versions relate: `convert` is then for objects of one's own version. */
  readonly webhook?: ConversionWebhook;
}

export type Verb =
  | "create"
  | "delete"
  | "deletecollection"
  | "get"
  | "list"
  | "patch"
  | "update"
  | "watch";

export interface Subresource {
  /** `status`, `scale`, `log`, … */
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** What is sent and answered: the parent's kind, or another (`autoscaling/v1 Scale`, `policy/v1 Eviction`). */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Schema;
}

/** A column of `kubectl get`, as in a `Table`. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, more with `-o wide`. */
  readonly priority: number;
  /** The cell. `nowMs` is for ages. */
  cell(object: JsonObject, nowMs: number): Json;
}

export type JsonObject = { [field: string]: Json };

/**
 * What is particular to one kind on the way in. Every function is optional; objects are plain and may be changed
 * in place where the name says so (`fillDefaults`, `prepare…`).
 */
export interface Strategy {
  /** Sets upstream's defaults in place. Runs on every decoded request body. */
  readonly fillDefaults?: (object: JsonObject) => void;
  /** In place, before validation: clears what a client may not set (`status`), sets first values. */
  readonly prepareForCreate?: (object: JsonObject) => void;
  /** In place: carries over from `old` what this path may not change (`status` on an update, `spec` on a status update is shared code). */
  readonly prepareForUpdate?: (object: JsonObject, old: JsonObject) => void;
  /** The whole check of a create; metadata is checked by shared code. */
  readonly validate?: (object: JsonObject) => readonly StatusCause[];
  /** The whole check of an update: what `validate` finds, and what only an update can get wrong. */
  readonly validateUpdate?: (object: JsonObject, old: JsonObject) => readonly StatusCause[];
  /** The only check of the kind that runs on an update of the status. */
  readonly validateStatusUpdate?: (object: JsonObject, old: JsonObject) => readonly StatusCause[];
  /** Texts for `Warning:` headers (deprecated fields, probable mistakes). With what was there before, on an update. */
  readonly warnings?: (object: JsonObject, old?: JsonObject) => readonly string[];
  /** Fields beyond `metadata.name` and `metadata.namespace` that field selectors may name. */
  readonly selectableFields?: Readonly<Record<string, (object: JsonObject) => string>>;
  /** How long a DELETE that asks for so many seconds, or for none, leaves the object: pods only. Default: not at all. */
  readonly gracePeriodSeconds?: (object: JsonObject, asked: number | undefined) => number;
  /** What happens to dependents when a DELETE does not say: "orphan" leaves them, "unsupported" has none. Default: they go too. */
  readonly dependents?: "orphan" | "unsupported";
  /** `metadata.generation` counts changes of everything but metadata and status. Default: where the kind has a status or the function says so. */
  readonly hasGeneration?: boolean;
  /** Fields of the metadata whose changes count as well. */
  readonly generationMetadata?: readonly string[];
  /** How names are checked; default DNS-1123 subdomain. */
  readonly nameRule?: NameRule;
  /** An update of an object that does not exist creates it (`PUT` of leases, config maps, …). */
  readonly createOnUpdate?: boolean;
  /** An update need not name a `resourceVersion`. Default true. */
  readonly unconditionalUpdate?: boolean;
}

export type NameRule = "dns1123Subdomain" | "dns1123Label" | "dns1035Label" | "pathSegment";
