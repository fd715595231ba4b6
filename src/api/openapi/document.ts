import type { JsonObject } from "#api/kind.ts";
import { componentOf, collectReferences } from "#api/openapi/components.ts";
import type { Describe } from "#api/openapi/components.ts";
import { pathsOf } from "#api/openapi/operations.ts";
import type { PathKind } from "#api/openapi/operations.ts";
import { apiVersionOf } from "#api/resource.ts";
import { definitionOf } from "#api/schemas/definitions.ts";

export interface DocumentRequest {
  /** The kinds of one group version. */
  readonly kinds: readonly PathKind[];
  readonly describe: Describe;
  /** All group versions there are, for what belongs to every one (`DeleteOptions`). */
  readonly groupVersions: readonly string[];
}

/** The OpenAPI 3 document of a group version: its paths and every schema they need. */
export function openApiDocument(request: DocumentRequest): JsonObject {
  const paths: JsonObject = Object.assign({}, ...request.kinds.map(pathsOf));
  return {
    openapi: "3.0.0",
    info: apiInfo,
    paths: sorted(paths),
    components: {
      schemas: componentsFor(paths, request),
      securitySchemes: {
        BearerToken: {
          type: "apiKey",
          description: "Bearer Token authentication",
          name: "authorization",
          in: "header",
        },
      },
    },
  };
}

const apiInfo = { title: "Kubernetes", version: "v1.36.0" };

function componentsFor(paths: JsonObject, request: DocumentRequest): JsonObject {
  const names = new Set<string>();
  for (const [, name] of JSON.stringify(paths).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    if (name !== undefined) collectReferences(name, names);
  }
  for (const kind of request.kinds) collectReferences(kind.definition, names);
  const components = [...names].map((name) => [name, withKind(name, request)] as const);
  return sorted(Object.fromEntries(components));
}

function withKind(name: string, request: DocumentRequest): JsonObject {
  const component = componentOf(name, request.describe);
  const kinds = kindsOf(name, request);
  return kinds.length === 0
    ? component
    : { ...component, "x-kubernetes-group-version-kind": kinds };
}

function kindsOf(name: string, request: DocumentRequest): JsonObject[] {
  const definition = definitionOf(name);
  if (definition === undefined || !(definition.isObject || name.endsWith(".WatchEvent"))) return [];
  const kind = name.slice(name.lastIndexOf(".") + 1);
  const isEverywhere = kind === "DeleteOptions" || kind === "WatchEvent";
  const versions = isEverywhere ? request.groupVersions : [definition.apiVersion];
  return versions.map((version) => ({ ...groupAndVersion(version), kind }));
}

function groupAndVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  if (slash < 0) return { group: "", version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The kinds by the path of their document: `api/v1`, `apis/apps/v1`. */
export function byDocument<T extends PathKind>(
  kinds: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const documents = new Map<string, T[]>();
  for (const kind of kinds) {
    const path = kind.group === "" ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`;
    const there = documents.get(path);
    if (there === undefined) documents.set(path, [kind]);
    else there.push(kind);
  }
  return documents;
}

function sorted(object: JsonObject): JsonObject {
  const names = Object.keys(object).toSorted();
  return Object.fromEntries(names.map((name) => [name, object[name] ?? null]));
}
