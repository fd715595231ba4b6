import type { JsonObject, Kind } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { componentsRoot } from "#api/openapi/components.ts";
import { pathsOf } from "#api/openapi/operations.ts";
import { isObject } from "#api/patch/json-object.ts";
import { apiVersionOf } from "#api/resource.ts";

export interface CustomDocumentRequest {
  /** The custom kinds of one group version. */
  readonly kinds: readonly Kind[];
  /** The document of a built-in group version: gives what every document has, and shared components. */
  readonly builtin: JsonObject;
  /** "2": in the words that OpenAPI 2 has, to be changed into it. */
  readonly wording: "2" | "3";
}

/** The OpenAPI 3 document of the custom kinds of a group version. */
export function customDocument(request: CustomDocumentRequest): JsonObject {
  const { kinds, builtin } = request;
  const paths: JsonObject = Object.assign({}, ...kinds.map(pathsOfCustom));
  const own: JsonObject = Object.assign({}, ...kinds.map((kind) => componentsOf(kind, request)));
  const shared = sharedComponents(builtin, [paths, own]);
  const components = at(builtin, "components");
  return {
    ...builtin,
    paths: sorted(paths),
    components: { ...components, schemas: sorted({ ...shared, ...own }) },
  };
}

/** The path of a kind's document: `apis/stable.example.com/v1`. */
export function documentPathOf(kind: Kind): string {
  return `apis/${apiVersionOf(kind)}`;
}

/** All that a kind's document is made of: its text changes whenever the document does. */
export function documentSourceOf(kind: Kind): string {
  const { group, version, resource, listKind, namespaced, subresources, openApiSchema } = kind;
  const parts = subresources.map((part) => part.name);
  const named = [group, version, kind.kind, listKind ?? "", resource, namespaced, parts];
  return JSON.stringify([named, openApiSchema]);
}

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";

function pathsOfCustom(kind: Kind): Readonly<Record<string, JsonObject>> {
  return pathsOf({
    ...kind,
    definition: definitionName(kind),
    isCustom: true,
    subresources: kind.subresources.map((part) => ({
      ...part,
      definition: part.name === "scale" ? "io.k8s.api.autoscaling.v1.Scale" : definitionName(kind),
    })),
  });
}

/** `com.example.stable.v1.CronTab` */
function definitionName({ group, version, kind }: Kind): string {
  return [...group.split(".").toReversed(), version, kind].join(".");
}

function componentsOf(kind: Kind, { wording }: CustomDocumentRequest): JsonObject {
  const name = definitionName(kind);
  const given = kind.openApiSchema ?? {};
  const schema = wording === "2" ? inVersion2(given) : given;
  // Beside any properties, kubectl takes all others for unknown: as upstream, none is told.
  const isOpen = wording === "2" && given["x-kubernetes-preserve-unknown-fields"] === true;
  const described = {
    ...schema,
    properties: { ...identity, ...metadataOf("ObjectMeta"), ...withoutIdentity(schema) },
  };
  return {
    [name]: {
      ...(!isOpen && described),
      type: "object",
      ...identifiedAs(kind, kind.kind),
    },
    [`${name}List`]: {
      description: `${kind.kind}List is a list of ${kind.kind}`,
      type: "object",
      required: ["items"],
      properties: {
        ...identity,
        items: {
          description: `List of ${kind.resource}.`,
          type: "array",
          items: { $ref: `${componentsRoot}${name}` },
        },
        ...metadataOf("ListMeta"),
      },
      ...identifiedAs(kind, kind.listKind ?? `${kind.kind}List`),
    },
  };
}

function withoutIdentity(schema: JsonObject): JsonObject {
  const {
    apiVersion: _version,
    kind: _kind,
    metadata: _metadata,
    ...own
  } = at(schema, "properties");
  return own;
}

const identity: JsonObject = {
  apiVersion: {
    description:
      "APIVersion defines the version of the schema that this object follows, with its group: GROUP/VERSION.",
    type: "string",
  },
  kind: {
    description: "Kind defines what this object is, in CamelCase. It cannot be changed.",
    type: "string",
  },
};

function metadataOf(definition: "ObjectMeta" | "ListMeta"): JsonObject {
  const description = "Standard object's metadata.";
  const reference = { $ref: `${componentsRoot}${meta}.${definition}` };
  return { metadata: { allOf: [reference], description } };
}

function identifiedAs({ group, version }: Kind, kind: string): JsonObject {
  return { "x-kubernetes-group-version-kind": [{ group, version, kind }] };
}

/** The built-in components that what is given refers to, directly or not. */
function sharedComponents(builtin: JsonObject, from: readonly JsonObject[]): JsonObject {
  const all = at(at(builtin, "components"), "schemas");
  const found: JsonObject = {};
  const pending: Json[] = [...from];
  for (const value of pending) {
    const references = JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
    for (const [, name = ""] of references) {
      const component = all[name];
      if (component === undefined || name in found) continue;
      found[name] = component;
      pending.push(component);
    }
  }
  return found;
}

const unknownToVersion2 = new Set(["allOf", "anyOf", "oneOf", "not", "nullable"]);

/** A schema without what OpenAPI 2 cannot say: it takes more values then, never fewer. */
function inVersion2(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, Json][] => {
    if (unknownToVersion2.has(keyword)) return [];
    if (keyword === "type" && (schema["nullable"] || schema["x-kubernetes-int-or-string"]))
      return [];
    if (keyword === "additionalProperties")
      return [[keyword, isObject(value) ? inVersion2(value) : {}]];
    if (keyword === "items" && isObject(value)) return [[keyword, inVersion2(value)]];
    if (keyword !== "properties" || !isObject(value)) return [[keyword, value]];
    const inner = Object.entries(value).map(([name, one]) => [name, inVersion2(one as JsonObject)]);
    return [[keyword, Object.fromEntries(inner) as JsonObject]];
  });
  return Object.fromEntries(entries);
}

function at(parent: JsonObject, field: string): JsonObject {
  const value = parent[field];
  return isObject(value) ? value : {};
}

function sorted(object: JsonObject): JsonObject {
  const names = Object.keys(object).toSorted();
  return Object.fromEntries(names.map((name) => [name, object[name] ?? null]));
}
