import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from "#api/generated/types.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { checkSchema } from "#api/custom/check-schema.ts";
import { parseJsonPath, simplePathOf } from "#api/custom/json-path.ts";
import { readSchema, type Misread } from "#api/custom/read-schema.ts";
import { checkRuleForms, checkRules } from "#api/custom/rules/check-rules.ts";
import { propertyOf, type SchemaProps } from "#api/custom/schema-props.ts";

type Definition = Given<CustomResourceDefinition>;
type Version = Given<CustomResourceDefinitionVersion>;

/** Notes what is wrong with the schemas and paths of a definition and with the group it claims. */
export function checkDefinition(root: Field, definition: Definition): void {
  const field = root.child("spec");
  if (definition.spec?.preserveUnknownFields) {
    field
      .child("preserveUnknownFields")
      .invalid(true, "must be false in order to use defaults in the schema");
  }
  for (const [index, version] of itemsOf(definition.spec?.versions).entries()) {
    checkVersion(field.child("versions").index(index), version);
  }
}

/** Groups of the Kubernetes project are open to definitions that its reviewers have approved. */
export function checkApproval(root: Field, definition: Definition): void {
  const group = definition.spec?.group ?? "";
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group)) return;
  const field = root.child("metadata", "annotations").key(approval);
  const value = (definition.metadata?.annotations as Record<string, string> | undefined)?.[
    approval
  ];
  const where = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (!value)
    field.required(`protected groups must have approval annotation "${approval}", ${where}`);
  else if (!value.startsWith("unapproved") && !URL.canParse(value)) {
    field.invalid(
      value,
      `protected groups must have approval annotation "${approval}" with either a URL or a reason starting with "unapproved", ${where}`,
    );
  }
}

const approval = "api-approved.kubernetes.io";

function checkVersion(field: Field, version: Version): void {
  const schemaField = field.child("schema", "openAPIV3Schema");
  const given = version.schema?.openAPIV3Schema;
  const misread: Misread[] = [];
  const props = given ? readSchema(given, "", misread) : undefined;
  for (const { path, value, expected } of misread) {
    schemaField.child(path).invalid(value, `must be of type ${expected}`);
  }
  if (props) checkWithRules(schemaField, props);
  for (const [index, column] of itemsOf(version.additionalPrinterColumns).entries()) {
    const at = field.child("additionalPrinterColumns").index(index);
    if (!column.name) at.child("name").required();
    if (!column.type) {
      at.child("type").required(`must be one of ${columnTypes.toSorted().join(",")}`);
    } else if (!columnTypes.includes(column.type)) {
      at.child("type").invalid(column.type, `must be one of ${columnTypes.toSorted().join(",")}`);
    }
    checkPath(at.child("jsonPath"), column.jsonPath ?? "");
  }
  checkSelectableFields(field.child("selectableFields"), version, props);
  checkScalePaths(field.child("subresources", "scale"), version);
}

/** Expressions are looked at where the schema they stand in is right. */
function checkWithRules(field: Field, props: SchemaProps): void {
  const before = field.noted;
  checkSchema(field, props);
  checkRuleForms(field, props);
  if (field.noted === before) checkRules(field, props);
}

const columnTypes = ["integer", "number", "string", "boolean", "date"];

function checkPath(field: Field, path: string): void {
  if (path === "") return field.required();
  if (!path.startsWith(".")) {
    return field.invalid(path, "must be a simple json path starting with .");
  }
  try {
    parseJsonPath(path);
  } catch (error) {
    field.invalid(path, `is an invalid JSONPath: ${error instanceof Error ? error.message : ""}`);
  }
}

function checkSelectableFields(
  field: Field,
  version: Version,
  props: SchemaProps | undefined,
): void {
  const fields = itemsOf(version.selectableFields);
  if (fields.length > 8) field.tooMany(fields.length, 8);
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of fields.entries()) {
    const at = field.index(index).child("jsonPath");
    const path = jsonPath ?? "";
    const names = simplePathOf(path);
    if (path === "") at.required();
    else if (names === undefined)
      at.invalid(path, "is an invalid path: must be a simple json path starting with .");
    else {
      if (names[0] === "metadata") at.invalid(path, "must not point to fields in metadata");
      const schema = names.reduce<SchemaProps | undefined>(
        (inner, name) => inner && propertyOf(inner, name),
        props,
      );
      if (schema === undefined)
        at.invalid(path, "is an invalid path: does not refer to a valid field");
      else if (!["string", "boolean", "integer"].includes(schema.type ?? "")) {
        at.invalid(
          path,
          "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        );
      }
      if (seen.has(path)) at.duplicate(path);
      seen.add(path);
    }
  }
}

function checkScalePaths(field: Field, version: Version): void {
  const scale = version.subresources?.scale;
  for (const name of ["specReplicasPath", "statusReplicasPath", "labelSelectorPath"] as const) {
    const path = scale?.[name] ?? "";
    if (path !== "" && simplePathOf(path) === undefined) {
      field.child(name).invalid(path, "should be a json path with fields only");
    }
  }
  const selector = scale?.labelSelectorPath ?? "";
  if (selector !== "" && !/^\.(?:spec|status)\./.test(selector)) {
    field
      .child("labelSelectorPath")
      .invalid(selector, "should be a json path under either .spec or .status");
  }
}
