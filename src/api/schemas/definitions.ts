import { invariant } from "#base/invariant.ts";
import { definitionTable } from "#api/generated/definitions.ts";

/** A built-in definition as the fact tables give it: its fields with types, wire numbers and list and map facts. */
export interface Definition {
  /** `io.k8s.api.core.v1.Pod` */
  readonly name: string;
  /** The group version it belongs to, as `apiVersion` is written. */
  readonly apiVersion: string;
  /** It stands alone: `apiVersion` and `kind` precede the listed fields. */
  readonly isObject: boolean;
  /** Known on the wire or in paths, but not part of the published OpenAPI. */
  readonly unpublished: boolean;
  readonly mapType?: "atomic" | "granular";
  readonly fields: readonly Field[];
}

export interface Field {
  /** The JSON name; "~" for a message whose fields stand in JSON beside the others (`Probe`'s handler). */
  readonly name: string;
  /** The protobuf field number. */
  readonly number: number;
  readonly holds: "one" | "list" | "map";
  /** A scalar (`string`, `bool`, `int32`, `int64`, `double`, `bytes`) or a definition's name. */
  readonly type: string;
  readonly required: boolean;
  /** An empty value differs from none (`replicas: 0`): a wire form that has the field has it in JSON too. */
  readonly optional: boolean;
  /** `atomic`, `set`, or `map`. */
  readonly listType?: "atomic" | "set" | "map";
  readonly listMapKeys?: readonly string[];
  readonly mapType?: "atomic" | "granular";
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly default?: string;
}

/** The definition of this name; undefined for one that is not built in or has a form of its own (`Time`, `Quantity`). */
export function definitionOf(name: string): Definition | undefined {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const row = rows().get(name);
  if (row === undefined) return undefined;
  const definition = parseDefinition(name, row);
  parsed.set(name, definition);
  return definition;
}

export function definitionNames(): IterableIterator<string> {
  return rows().keys();
}

/** The scalars of the tables, in the words of JSON Schema and the formats of upstream's OpenAPI. */
export const scalarTypes: Readonly<Record<string, ScalarType>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
};

// A type and no interface: as such it is a JSON object, too.
type ScalarType = {
  readonly type: "string" | "boolean" | "integer" | "number";
  readonly format?: string;
};

export function isScalar(type: string): boolean {
  return Object.hasOwn(scalarTypes, type);
}

/** `io.k8s.api.core.v1.Pod` → `Pod`. */
export function shortName(definition: string): string {
  return definition.slice(definition.lastIndexOf(".") + 1);
}

/** How the fact tables shorten package names. */
export const packageAliases: Readonly<Record<string, string>> = {
  core: "io.k8s.api.core.v1",
  meta: "io.k8s.apimachinery.pkg.apis.meta.v1",
  runtime: "io.k8s.apimachinery.pkg.runtime",
  resource: "io.k8s.apimachinery.pkg.api.resource",
  intstr: "io.k8s.apimachinery.pkg.util.intstr",
  "authentication.v1": "io.k8s.api.authentication.v1",
  "autoscaling.v1": "io.k8s.api.autoscaling.v1",
};

interface Row {
  readonly line: string;
  readonly package: string;
  readonly apiVersion: string;
}

const parsed = new Map<string, Definition>();
let index: Map<string, Row> | undefined;

function rows(): Map<string, Row> {
  index ??= indexTable();
  return index;
}

function indexTable(): Map<string, Row> {
  const found = new Map<string, Row>();
  let packageName = "";
  let apiVersion = "";
  for (const line of definitionTable.split("\n")) {
    if (line.startsWith("@")) {
      [packageName = "", apiVersion = ""] = line.slice(1).split(" ");
    } else {
      const short = line.slice(0, line.search(/[ \t]/));
      found.set(`${packageName}.${short}`, { line, package: packageName, apiVersion });
    }
  }
  return found;
}

function parseDefinition(name: string, row: Row): Definition {
  const [head = "", body = ""] = row.line.split("\t");
  const marks = head.split(" ").slice(1);
  let fields: readonly Field[] | undefined;
  return {
    name,
    apiVersion: row.apiVersion,
    isObject: marks.includes("object"),
    unpublished: marks.includes("unpublished") || marks.includes("inlined"),
    ...(marks.includes("atomic") && { mapType: "atomic" }),
    get fields() {
      fields ??= body === "" ? [] : body.split(";").map((text) => parseField(text, row.package));
      return fields;
    },
  };
}

function parseField(text: string, packageName: string): Field {
  const [name = "", number = "", type = "", ...marks] = text.split(" ");
  const holds = type.startsWith("[]") ? "list" : type.startsWith("{}") ? "map" : "one";
  return {
    name,
    number: Number(number),
    holds,
    type: resolve(holds === "one" ? type : type.slice(2), packageName),
    required: marks.includes("required"),
    optional: marks.includes("optional"),
    ...Object.assign({}, ...marks.map((mark) => factOf(mark, holds === "list" || isScalar(type)))),
  };
}

function factOf(mark: string, isList: boolean): Partial<Field> {
  const [word, value] = split(mark);
  switch (word) {
    case "required":
    case "optional":
      return {};
    case "atomic":
      return isList ? { listType: "atomic" } : { mapType: "atomic" };
    case "granular":
      return { mapType: "granular" };
    case "set":
      return { listType: "set" };
    case "map":
      return { listType: "map", listMapKeys: value.split(",") };
    case "patch":
      return { patchStrategy: value };
    case "key":
      return { patchMergeKey: value };
    case "default":
      return { default: value };
    default:
      invariant(false, `"${mark}" is a mark of the fact tables`);
  }
}

function split(mark: string): readonly [string, string] {
  const equals = mark.indexOf("=");
  return equals < 0 ? [mark, ""] : [mark.slice(0, equals), mark.slice(equals + 1)];
}

function resolve(type: string, packageName: string): string {
  if (isScalar(type)) return type;
  const dot = type.lastIndexOf(".");
  if (dot < 0) return `${packageName}.${type}`;
  return `${packageAliases[type.slice(0, dot)]}.${type.slice(dot + 1)}`;
}
