import { invariant } from "#base/invariant.ts";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
} from "#api/generated/types.ts";
import { pruneUnknown } from "#api/decode/prune-unknown.ts";
import type { JsonObject, Kind, Strategy, Subresource, Verb } from "#api/kind.ts";
import type { Schema } from "#api/schema.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import { conversionWebhookOf } from "#api/custom/conversion-webhook.ts";
import { fillSchemaDefaults } from "#api/custom/schema-defaults.ts";
import { parseJsonPath } from "#api/custom/json-path.ts";
import { printerColumnsOf } from "#api/custom/printer-columns.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";
import { readSchema } from "#api/custom/read-schema.ts";
import { largeIntegerWarnings } from "#api/custom/large-integers.ts";
import { validatorOf } from "#api/custom/rules/validate-rules.ts";
import { scalePathsOf } from "#api/custom/scale-paths.ts";
import { structuralSchemaOf } from "#api/custom/structural-schema.ts";

/**
 * The kinds that an established definition brings: one for each version that is served. They take the way of every
 * other kind. While the definition is being deleted nothing new can be made.
 */
export function customKindsOf(definition: CustomResourceDefinition): readonly Kind[] {
  return servedVersionsOf(definition).map((version) => kindOf(definition, version));
}

/** The kind of the version that objects are stored in, whether it is served or not. */
export function storageKindOf(definition: CustomResourceDefinition): Kind {
  const version = definition.spec.versions.find((one) => one.storage);
  invariant(version !== undefined, "one version of a stored definition is the storage version");
  return kindOf(definition, version);
}

export function servedVersionsOf(
  definition: CustomResourceDefinition,
): readonly CustomResourceDefinitionVersion[] {
  return definition.spec.versions.filter((version) => version.served);
}

/** The schema of a version as its author wrote it. */
export function propsOf(version: CustomResourceDefinitionVersion): SchemaProps {
  return readSchema(version.schema?.openAPIV3Schema ?? anything);
}

const anything: SchemaProps = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

export function isTrue(definition: CustomResourceDefinition, type: string): boolean {
  const conditions = definition.status?.conditions ?? [];
  return conditions.some((condition) => condition.type === type && condition.status === "True");
}

function kindOf(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): Kind {
  const { group, scope, versions } = definition.spec;
  const names = acceptedNamesOf(definition);
  const props = propsOf(version);
  const schema = structuralSchemaOf(props);
  const storage = versions.find((one) => one.storage) ?? version;
  const { plural: resource, kind } = names;
  const warning = deprecationOf(definition, version);
  const scale = scalePathsOf(version);
  const webhook = conversionWebhookOf(definition);
  return {
    group,
    version: version.name,
    kind,
    resource,
    namespaced: scope === "Namespaced",
    singular: names.singular ?? kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    ...(names.listKind && { listKind: names.listKind }),
    ...(warning !== undefined && { deprecationWarning: warning }),
    ...(scale && { scale }),
    openApiSchema: props as unknown as JsonObject,
    edition: editionOf(definition),
    verbs: isTrue(definition, "Terminating") ? verbsWhileTerminating : everyVerb,
    schema,
    subresources: subresourcesOf({ group, version: version.name, kind, schema }, version),
    columns: printerColumnsOf(version),
    strategy: strategyOf(version, props),
    stored: {
      group,
      version: storage.name,
      kind,
      resource,
      convert: {
        fromStored: (object) => readable(object, { schema, props }),
        toStored: (object) => object,
      },
      ...(webhook && { webhook }),
    },
  };
}

/** Changes with the spec and the accepted names. That a definition is being deleted counts a generation as well. */
function editionOf(definition: CustomResourceDefinition): string {
  const { uid, generation = 0, deletionTimestamp } = definition.metadata;
  const written = deletionTimestamp === undefined ? generation : generation - 1;
  return JSON.stringify([uid, written, acceptedNamesOf(definition)]);
}

const verbsWhileTerminating: readonly Verb[] = [
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

const everyVerb: readonly Verb[] = ["create", ...verbsWhileTerminating];

function acceptedNamesOf(definition: CustomResourceDefinition): CustomResourceDefinitionNames {
  const accepted = definition.status?.acceptedNames;
  return accepted?.plural ? accepted : definition.spec.names;
}

/** An object from the store in this version's form: what its schema does not name goes, its defaults come. */
function readable(
  object: JsonObject,
  { schema, props }: { readonly schema: Schema; readonly props: SchemaProps },
): JsonObject {
  const { object: pruned } = pruneUnknown(object, schema);
  fillSchemaDefaults(pruned, props);
  return pruned;
}

function strategyOf(version: CustomResourceDefinitionVersion, props: SchemaProps): Strategy {
  const { validate, warnings } = validatorOf(props);
  return {
    hasGeneration: true,
    unconditionalUpdate: false,
    fillDefaults: (object) => fillSchemaDefaults(object, props),
    warnings: (object, old) => [...warnings(object, old), ...largeIntegerWarnings(object)],
    validate: (object) => validate(object),
    validateUpdate: validate,
    validateStatusUpdate: validate,
    selectableFields: selectableFieldsOf(version),
  };
}

function selectableFieldsOf(
  version: CustomResourceDefinitionVersion,
): Readonly<Record<string, (object: JsonObject) => string>> {
  const fields = (version.selectableFields ?? []).map(({ jsonPath }) => {
    const path = parseJsonPath(jsonPath);
    const value = (object: JsonObject): string => {
      const [found] = path(object);
      return found === undefined || found === null || typeof found === "object"
        ? ""
        : String(found);
    };
    return [jsonPath.replace(/^\./, ""), value] as const;
  });
  return Object.fromEntries(fields);
}

function subresourcesOf(
  kind: Pick<Subresource, "group" | "version" | "kind" | "schema">,
  version: CustomResourceDefinitionVersion,
): readonly Subresource[] {
  const verbs: readonly Verb[] = ["get", "patch", "update"];
  const found: Subresource[] = [];
  if (version.subresources?.status) found.push({ name: "status", verbs, ...kind });
  if (version.subresources?.scale) {
    const schema = schemaOf("io.k8s.api.autoscaling.v1.Scale");
    found.push({
      name: "scale",
      verbs,
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
      schema,
    });
  }
  return found;
}

function deprecationOf(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): string | undefined {
  if (!version.deprecated) return undefined;
  const { group, names } = definition.spec;
  return version.deprecationWarning ?? `${group}/${version.name} ${names.kind} is deprecated`;
}
