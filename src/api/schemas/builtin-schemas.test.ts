import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import type { Schema } from "#api/schema.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import { definitionNames, definitionOf } from "#api/schemas/definitions.ts";

const core = "io.k8s.api.core.v1";

test("schemaOf() knows every definition of the tables and all they refer to", () => {
  const seen = new Set<string>();
  let fields = 0;
  for (const name of definitionNames()) {
    for (const schema of Object.values(schemaOf(name).properties ?? {})) {
      fields++;
      for (const inner of [schema, schema.items, schema.values]) {
        if (inner?.name !== undefined) seen.add(inner.name);
      }
    }
  }
  const unknown = [...seen].filter((name) => schemaOf(name) === undefined);
  deepEqual(unknown, []);
  deepEqual([[...definitionNames()].length, fields > 2_400], [610, true]);
});

test("schemaOf() carries list keys, merge keys and defaults of container ports", () => {
  const ports = property(`${core}.Container`, "ports");
  deepEqual(facts(ports), {
    type: "array",
    listType: "map",
    listMapKeys: ["containerPort", "protocol"],
    patchStrategy: "merge",
    patchMergeKey: "containerPort",
  });
  equal(ports.items, schemaOf(`${core}.ContainerPort`));
  deepEqual(facts(property(`${core}.ContainerPort`, "protocol")), {
    type: "string",
    default: "TCP",
  });
  deepEqual(schemaOf(`${core}.ContainerPort`).required, ["containerPort"]);
});

test("schemaOf() tells formats and forms of their own", () => {
  const rows: readonly [string, string, Partial<Schema>][] = [
    [`${core}.PodSpec`, "activeDeadlineSeconds", { type: "integer", format: "int64" }],
    [`${core}.Secret`, "data", { type: "object" }],
    [`${core}.ServicePort`, "targetPort", { type: "any", format: "int-or-string" }],
    [`${core}.PodSpec`, "nodeSelector", { type: "object", mapType: "atomic" }],
    [`${core}.PodSpec`, "volumes", { type: "array", patchStrategy: "merge,retainKeys" }],
    [
      "io.k8s.api.apps.v1.DeploymentSpec",
      "strategy",
      { type: "object", patchStrategy: "retainKeys" },
    ],
    ["io.k8s.api.coordination.v1.LeaseSpec", "renewTime", { type: "string", format: "date-time" }],
  ];
  for (const [definition, field, wanted] of rows) {
    const schema = schemaOf(definition).properties?.[field];
    deepEqual({ ...wanted, ...(schema && pick(schema, Object.keys(wanted))) }, wanted, field);
  }
  deepEqual(property(`${core}.Secret`, "data").values, { type: "string", format: "byte" });
});

test("schemaOf() puts the fields of inlined messages beside the others", () => {
  const probe = Object.keys(schemaOf(`${core}.Probe`).properties ?? {});
  deepEqual(probe.slice(0, 5), ["exec", "httpGet", "tcpSocket", "grpc", "initialDelaySeconds"]);
  deepEqual(schemaOf(`${core}.EphemeralContainer`).required, ["name"]);
});

test("schemaOf() of a definition that contains itself ends", () => {
  const props = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
  equal(property(props, "properties").values, schemaOf(props));
  equal(property(props, "x-kubernetes-list-map-keys").listType, "atomic");
});

test("schemaOf() of an unknown definition is a bug", () => {
  throws(() => schemaOf("io.k8s.api.core.v1.Nothing"), /is a built-in definition/);
  equal(definitionOf("io.k8s.api.core.v1.Nothing"), undefined);
});

function property(definition: string, field: string): Schema {
  return schemaOf(definition).properties![field]!;
}

function facts(schema: Schema): object {
  const { items: _items, properties: _properties, ...own } = schema;
  return own;
}

function pick(schema: Schema, keys: readonly string[]): object {
  return Object.fromEntries(keys.map((key) => [key, schema[key as keyof Schema]]));
}
