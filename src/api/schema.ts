import type { Json } from "#api/meta.ts";

/**
 * The shape of a value: built-in kinds and custom resources alike. A schema may contain itself
 * (`JSONSchemaProps`), so walk it along a value, never on its own.
 */
export interface Schema {
  /** "any" takes every JSON value (`RawExtension`, a custom resource's untyped field). */
  readonly type: "object" | "array" | "string" | "integer" | "number" | "boolean" | "any";
  /** `int32`, `int64`, `double`, `byte`, `date-time`, `int-or-string`, `quantity`. The last two have type "any". */
  readonly format?: string;
  /** The definition's name for built-in types: `io.k8s.api.core.v1.PodSpec`. */
  readonly name?: string;
  /** The fields of an object. */
  readonly properties?: Readonly<Record<string, Schema>>;
  /** The values of a map. An object with neither `properties` nor `values` is untyped. */
  readonly values?: Schema;
  /** The items of an array. */
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly listType?: "atomic" | "set" | "map";
  readonly listMapKeys?: readonly string[];
  readonly mapType?: "atomic" | "granular";
  /** Comma-joined as in `x-kubernetes-patch-strategy`: `merge`, `replace`, `retainKeys`, `merge,retainKeys`. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  /** The default that server-side apply needs for list map keys (`protocol: TCP`). */
  readonly default?: Json;
  readonly nullable?: boolean;
  /** `x-kubernetes-preserve-unknown-fields`: fields that `properties` does not name are kept. */
  readonly preserveUnknownFields?: boolean;
  /** `x-kubernetes-embedded-resource`: the value is a whole object with its own apiVersion, kind and metadata. */
  readonly embeddedResource?: boolean;
}
