import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import type { Schema } from "#api/schema.ts";
import { itemsOfProps, valuesOfProps, type SchemaProps } from "#api/custom/schema-props.ts";

/** The schema of a custom kind as pruning, patches and server-side apply walk along it. It has no name. */
export function structuralSchemaOf(props: SchemaProps): Schema {
  const schema = fromProps(props);
  return { ...schema, type: "object", properties: { ...schema.properties, ...identity() } };
}

/** What every object has, whatever its schema says of it. */
function identity(): Readonly<Record<string, Schema>> {
  return {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
  };
}

function fromProps(props: SchemaProps): Schema {
  const properties = propertiesOf(props);
  const values = mapValuesOf(props);
  const items = itemsOfProps(props);
  const listType = listTypeOf(props);
  return {
    type: typeOf(props),
    ...formatOf(props),
    ...(properties && { properties }),
    ...(values && { values }),
    ...(items && { items: fromProps(items) }),
    ...(props.required && { required: props.required }),
    ...(listType && { listType }),
    ...(props["x-kubernetes-list-map-keys"] && {
      listMapKeys: props["x-kubernetes-list-map-keys"],
    }),
    ...(props["x-kubernetes-map-type"] === "atomic" && { mapType: "atomic" as const }),
    ...(props.default !== undefined && { default: props.default }),
    ...(props.nullable && { nullable: true }),
    ...(props["x-kubernetes-preserve-unknown-fields"] && { preserveUnknownFields: true }),
    ...(props["x-kubernetes-embedded-resource"] && { embeddedResource: true }),
  };
}

const types = ["object", "array", "string", "integer", "number", "boolean"] as const;

function typeOf(props: SchemaProps): Schema["type"] {
  if (props["x-kubernetes-int-or-string"]) return "any";
  return types.find((type) => type === props.type) ?? "any";
}

function formatOf(props: SchemaProps): Pick<Schema, "format"> {
  if (props["x-kubernetes-int-or-string"]) return { format: "int-or-string" };
  return props.format === undefined || props.format === "" ? {} : { format: props.format };
}

function propertiesOf(props: SchemaProps): Record<string, Schema> | undefined {
  if (props.properties === undefined) return undefined;
  const entries = Object.entries(props.properties);
  return Object.fromEntries(entries.map(([name, inner]) => [name, fromProps(inner)]));
}

function mapValuesOf(props: SchemaProps): Schema | undefined {
  const values = valuesOfProps(props);
  if (values !== undefined) return fromProps(values);
  return props.additionalProperties === true ? { type: "any" } : undefined;
}

function listTypeOf(props: SchemaProps): Schema["listType"] {
  const type = props["x-kubernetes-list-type"];
  return type === "set" || type === "map" || type === "atomic" ? type : undefined;
}
