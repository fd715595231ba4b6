import type { Json } from "#api/meta.ts";

/** An `apiextensions.k8s.io/v1 JSONSchemaProps` as it is on the wire. */
export interface SchemaProps {
  readonly $ref?: string;
  readonly $schema?: string;
  readonly id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly default?: Json;
  readonly nullable?: boolean;
  readonly properties?: Readonly<Record<string, SchemaProps>>;
  readonly additionalProperties?: SchemaProps | boolean;
  readonly items?: SchemaProps | readonly SchemaProps[];
  readonly required?: readonly string[];
  readonly enum?: readonly Json[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly SchemaProps[];
  readonly anyOf?: readonly SchemaProps[];
  readonly oneOf?: readonly SchemaProps[];
  readonly not?: SchemaProps;
  readonly additionalItems?: Json;
  readonly definitions?: Json;
  readonly dependencies?: Json;
  readonly patternProperties?: Json;
  readonly externalDocs?: Json;
  readonly example?: Json;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
  readonly "x-kubernetes-validations"?: readonly Json[];
}

/** The schema of a list's items; undefined where there is none or it is the forbidden list of schemas. */
export function itemsOfProps(props: SchemaProps): SchemaProps | undefined {
  const { items } = props;
  return items === undefined || Array.isArray(items) ? undefined : (items as SchemaProps);
}

/** The schema of the values of a map; undefined where any value goes or none. */
export function valuesOfProps(props: SchemaProps): SchemaProps | undefined {
  const { additionalProperties } = props;
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}

export function propertyOf(props: SchemaProps, field: string): SchemaProps | undefined {
  const { properties } = props;
  return properties !== undefined && Object.hasOwn(properties, field)
    ? properties[field]
    : undefined;
}
