import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { componentsRoot } from "#api/openapi/components.ts";

/** OpenAPI 2 ("Swagger") of the same API, for older clients: all group versions in one document. */
export function toVersion2(documents: readonly JsonObject[]): JsonObject {
  const paths: JsonObject = {};
  const definitions: JsonObject = {};
  for (const document of documents) {
    for (const [path, item] of Object.entries(objectIn(document, "paths"))) {
      paths[path] = pathItem(item as JsonObject);
    }
    const schemas = objectIn(objectIn(document, "components"), "schemas");
    for (const [name, schema] of Object.entries(schemas)) {
      definitions[name] = schemaOf(schema as JsonObject);
    }
  }
  return {
    swagger: "2.0",
    info: documents[0]?.["info"] ?? {},
    paths,
    definitions,
    securityDefinitions: {
      BearerToken: {
        description: "Bearer Token authentication",
        type: "apiKey",
        name: "authorization",
        in: "header",
      },
    },
    security: [{ BearerToken: [] }],
  };
}

/** A schema of OpenAPI 3 in the words of OpenAPI 2: references stand beside descriptions, and there is no `oneOf`. */
function schemaOf(schema: JsonObject): JsonObject {
  const { allOf, oneOf, ...same } = schema;
  const referred = Array.isArray(allOf) ? (allOf[0] as JsonObject) : {};
  const merged: JsonObject = {
    ...same,
    ...referred,
    ...(oneOf !== undefined && { type: "string" }),
  };
  for (const [key, value] of Object.entries(merged)) {
    if (key === "$ref") merged[key] = referenceOf(value);
    else if (key === "items" || key === "additionalProperties") merged[key] = nested(value);
    else if (key === "properties") merged[key] = mapped(value as JsonObject);
  }
  return merged;
}

const definitionsRoot = "#/definitions/";

const methods = new Set(["get", "put", "post", "delete", "options", "head", "patch"]);

function pathItem(item: JsonObject): JsonObject {
  const entries = Object.entries(item).map(([key, value]): readonly [string, Json] => {
    if (methods.has(key)) return [key, operation(value as JsonObject)];
    if (key === "parameters") return [key, (value as JsonObject[]).map(parameter)];
    return [key, value];
  });
  return Object.fromEntries(entries);
}

function operation(from: JsonObject): JsonObject {
  const { parameters, requestBody, responses, ...same } = from;
  const all = ((parameters ?? []) as JsonObject[]).map(parameter);
  const body = requestBody as JsonObject | undefined;
  if (body !== undefined) all.push(bodyParameter(body));
  const answers = responses as JsonObject;
  return {
    ...same,
    schemes: ["https"],
    consumes: body === undefined ? ["*/*"] : contentTypes(body),
    produces: contentTypes(objectIn(answers, "200")),
    parameters: all,
    responses: Object.fromEntries(
      Object.entries(answers).map(([code, answer]) => [code, response(answer as JsonObject)]),
    ),
  };
}

function parameter(from: JsonObject): JsonObject {
  const { schema, ...same } = from;
  return { ...same, ...(schema as JsonObject) };
}

function bodyParameter(body: JsonObject): JsonObject {
  return {
    name: "body",
    in: "body",
    ...(body["required"] === true && { required: true }),
    schema: contentSchema(body) ?? {},
  };
}

function response(answer: JsonObject): JsonObject {
  const schema = contentSchema(answer);
  return { description: answer["description"] ?? "", ...(schema !== undefined && { schema }) };
}

function contentTypes(from: JsonObject): string[] {
  return Object.keys(objectIn(from, "content"));
}

function contentSchema(from: JsonObject): JsonObject | undefined {
  const [first] = Object.values(objectIn(from, "content"));
  return first === undefined ? undefined : schemaOf(objectIn(first as JsonObject, "schema"));
}

function mapped(properties: JsonObject): JsonObject {
  const entries = Object.entries(properties).map(([name, value]) => [name, nested(value)] as const);
  return Object.fromEntries(entries);
}

function nested(value: Json): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? schemaOf(value)
    : value;
}

function referenceOf(value: Json): Json {
  return typeof value === "string" ? value.replace(componentsRoot, definitionsRoot) : value;
}

function objectIn(parent: JsonObject, field: string): JsonObject {
  return (parent[field] ?? {}) as JsonObject;
}
