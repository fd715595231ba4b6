import { deepEqual } from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import { definitionNames, definitionOf } from "#api/schemas/definitions.ts";

const models = join(import.meta.dirname, "../node_modules/@kubernetes/client-node/dist/gen/models");

test("the fact tables have the fields that client-node's classes have, as required and as typed", () => {
  const differences: string[] = [];
  let compared = 0;
  for (const name of definitionNames()) {
    const file = classFile(name);
    if (file === undefined || definitionOf(name)?.unpublished) continue;
    compared++;
    const ours = fieldsOfSchema(name);
    const theirs = fieldsOfClass(file);
    for (const field of new Set([...ours, ...theirs])) {
      if (!ours.has(field)) differences.push(`${name} lacks ${field}`);
      if (!theirs.has(field)) differences.push(`${name} invents ${field}`);
    }
  }
  deepEqual(differences, []);
  deepEqual(compared, 572);
});

/** `name string int32 required`, one for each field. */
function fieldsOfSchema(name: string): ReadonlySet<string> {
  const schema = schemaOf(name);
  const fields = Object.entries(schema.properties ?? {}).map(([field, { type, format }]) => {
    const isRequired = schema.required?.includes(field) ?? false;
    const plain = format === "quantity" ? "string" : (plainTypes[type] ?? "other");
    return [field, plain, plain === "number" ? format : "", isRequired ? "required" : ""].join(" ");
  });
  return new Set(fields);
}

const plainTypes: Readonly<Record<string, string>> = {
  string: "string",
  boolean: "boolean",
  integer: "number",
  number: "number",
};

function fieldsOfClass(file: string): ReadonlySet<string> {
  const code = readFileSync(join(models, `${file}.js`), "utf8");
  const declaration = readFileSync(join(models, `${file}.d.ts`), "utf8");
  const pattern =
    /"name": "([^"]+)",\s+"baseName": "([^"]+)",\s+"type": "([^"]+)",\s+"format": "([^"]*)"/g;
  const fields = [...code.matchAll(pattern)].map(([, name = "", base, type = "", format]) => {
    const isRequired = declaration.includes(`    '${name}': `);
    const plain = classTypes[type] ?? "other";
    const size = plain === "number" ? format : "";
    return [base, plain, size, isRequired ? "required" : ""].join(" ");
  });
  return new Set(fields);
}

const classTypes: Readonly<Record<string, string>> = {
  string: "string",
  boolean: "boolean",
  number: "number",
  Date: "string",
  V1MicroTime: "string",
};

function classFile(definition: string): string | undefined {
  const [kind = "", version = "", group = ""] = definition.split(".").toReversed();
  const versioned = version.toUpperCase() + kind;
  const grouped = group.charAt(0).toUpperCase() + group.slice(1) + versioned;
  return [grouped, versioned].find((name) => existsSync(join(models, `${name}.d.ts`)));
}
