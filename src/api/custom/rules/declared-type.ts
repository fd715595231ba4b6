import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structType,
  timestampType,
  type Type,
} from "#api/cel/type.ts";
import { escapeName } from "#api/custom/rules/escape-name.ts";
import { itemsOfProps, type SchemaProps, valuesOfProps } from "#api/custom/schema-props.ts";

/** A schema as expressions see it. */
export interface DeclaredType {
  readonly type: Type;
  /** The fewest bytes of JSON that such a value takes: how many of them a request can hold. */
  readonly bytesMin: number;
}

/** The largest request that the server takes; all estimates come down to it. */
export const requestBytesMax = 3 * 1024 * 1024;

/**
 * What a schema declares; undefined where expressions cannot see it: there is nothing known of what is in it. A
 * resource, at the root or embedded, always has apiVersion, kind and its names.
 */
export function declaredTypeOf(props: SchemaProps, as: Declaring): DeclaredType | undefined {
  const known = declared[as.isResource ? "resources" : "values"];
  // What is inside is asked for again when its own rules are looked at.
  if (known.has(props)) return known.get(props) ?? undefined;
  const made = declare(props, as);
  known.set(props, made ?? null);
  return made;
}

interface Declaring {
  readonly name: string;
  readonly isResource: boolean;
}

const declared = {
  resources: new WeakMap<SchemaProps, DeclaredType | null>(),
  values: new WeakMap<SchemaProps, DeclaredType | null>(),
};

function declare(props: SchemaProps, { name, isResource }: Declaring): DeclaredType | undefined {
  if (props["x-kubernetes-int-or-string"]) {
    const sizeMax =
      props.maxLength === undefined ? requestBytesMax - 2 : natural(props.maxLength) * 4;
    return { type: { ...dynType, sizeMax }, bytesMin: 1 };
  }
  const whole = isResource ? withIdentity(props) : props;
  switch (whole.type) {
    case "array":
      return declaredList(whole, name);
    case "object":
      return declaredObject(whole, name);
    case "string":
      return declaredText(whole);
    case "boolean":
      return { type: boolType, bytesMin: 4 };
    case "number":
      return { type: doubleType, bytesMin: 1 };
    case "integer":
      return { type: intType, bytesMin: 1 };
    default:
      return undefined;
  }
}

const text: SchemaProps = { type: "string" };

/** As it is where it says all of that itself. */
function withIdentity(props: SchemaProps): SchemaProps {
  const { kind, apiVersion, metadata: own } = props.properties ?? {};
  const named = [kind, apiVersion, own?.properties?.["name"], own?.properties?.["generateName"]];
  if (named.every((one) => one?.type === "string")) return props;
  const metadata: SchemaProps = { type: "object", properties: { name: text, generateName: text } };
  const properties = { ...props.properties, kind: text, apiVersion: text, metadata };
  return { ...props, type: "object", properties };
}

function declaredList(props: SchemaProps, name: string): DeclaredType | undefined {
  const items = itemsOfProps(props);
  const item =
    items && declaredTypeOf(items, { name: `${name}.@idx`, isResource: isEmbedded(items) });
  if (item === undefined) return undefined;
  const sizeMax =
    props.maxItems === undefined
      ? Math.floor((requestBytesMax - 2) / (item.bytesMin + 1))
      : natural(props.maxItems);
  const type = listOf(item.type, sizeMax);
  const keyedBy = keyedByOf(props);
  const holdsKeyedLists = keyedBy !== undefined || holdsKeyed(item.type);
  const keyed = { ...(keyedBy && { keyedBy }), ...(holdsKeyedLists && { holdsKeyedLists }) };
  return { type: { ...type, ...keyed }, bytesMin: 2 };
}

function keyedByOf(props: SchemaProps): Type["keyedBy"] {
  if (props["x-kubernetes-list-type"] === "set") return "item";
  return props["x-kubernetes-list-type"] === "map"
    ? (props["x-kubernetes-list-map-keys"] ?? [])
    : undefined;
}

function holdsKeyed(type: Type): boolean {
  return type.holdsKeyedLists === true;
}

function declaredObject(props: SchemaProps, name: string): DeclaredType | undefined {
  const values = valuesOfProps(props);
  if (values !== undefined) return declaredMap(props, values, name);
  const fields = new Map<string, Type>();
  const dataFields = new Map<string, string>();
  let bytesMin = 2;
  for (const [field, inner] of Object.entries(props.properties ?? {})) {
    const declared = declaredTypeOf(inner, {
      name: `${name}.${field}`,
      isResource: isEmbedded(inner),
    });
    if (declared === undefined) continue;
    const escaped = escapeName(field);
    if (escaped !== undefined) {
      fields.set(escaped, declared.type);
      if (escaped !== field) dataFields.set(escaped, field);
      // Words of the language may be written as they are after a dot.
      if (escaped === `__${field}__`) fields.set(field, declared.type);
    }
    const isRequired = props.required?.includes(field) === true && inner.default === undefined;
    if (isRequired) bytesMin += field.length + declared.bytesMin + 4;
  }
  const shape = {
    fieldOf: (field: string) => fields.get(field),
    ...(dataFields.size > 0 && { dataField: (field: string) => dataFields.get(field) ?? field }),
  };
  const holdsKeyedLists = [...fields.values()].some(holdsKeyed);
  const type = { ...structType(name, shape), ...(holdsKeyedLists && { holdsKeyedLists }) };
  return { type, bytesMin };
}

function declaredMap(
  props: SchemaProps,
  values: SchemaProps,
  name: string,
): DeclaredType | undefined {
  const value = declaredTypeOf(values, { name: `${name}.@elem`, isResource: isEmbedded(values) });
  if (value === undefined) return undefined;
  const sizeMax =
    props.maxProperties === undefined
      ? Math.floor((requestBytesMax - 2) / (value.bytesMin + 6))
      : natural(props.maxProperties);
  const type = mapOf(stringType, value.type, sizeMax);
  const keyed = holdsKeyed(value.type) ? { holdsKeyedLists: true } : {};
  return { type: { ...type, ...keyed }, bytesMin: 2 };
}

function declaredText(props: SchemaProps): DeclaredType {
  switch (props.format) {
    case "byte": {
      const sizeMax =
        props.maxLength === undefined ? requestBytesMax - 2 : natural(props.maxLength);
      return { type: { ...bytesType, sizeMax }, bytesMin: 2 };
    }
    case "duration":
      return { type: { ...durationType, sizeMax: 32 }, bytesMin: 3 };
    case "date":
      return { type: { ...timestampType, sizeMax: 12 }, bytesMin: 12 };
    case "date-time":
      return { type: { ...timestampType, sizeMax: 32 }, bytesMin: 21 };
    default:
      return { type: { ...stringType, sizeMax: textSizeMax(props) }, bytesMin: 2 };
  }
}

/** A letter may take four bytes. */
function textSizeMax({ maxLength, enum: values = [] }: SchemaProps): number {
  if (maxLength !== undefined) return natural(maxLength) * 4;
  if (values.length === 0) return requestBytesMax - 2;
  const encoder = new TextEncoder();
  const lengths = values.map((one) => (typeof one === "string" ? encoder.encode(one).length : 0));
  return Math.max(...lengths);
}

function isEmbedded(props: SchemaProps): boolean {
  return props["x-kubernetes-embedded-resource"] === true;
}

function natural(value: number): number {
  return Math.max(value, 0);
}
