import type { CustomResourceDefinition } from "#api/generated/types.ts";
import type { Given } from "#api/validation/given.ts";
import { itemsOf } from "#api/validation/given.ts";
import { readSchema } from "#api/custom/read-schema.ts";
import { innerProps, type SchemaProps } from "#api/custom/schema-props.ts";

/**
 * What a definition asks for and this version stores but does not do, as warnings for whoever writes it. Empty for
 * a definition that is carried out whole.
 */
export function unevaluatedParts(definition: Given<CustomResourceDefinition>): readonly string[] {
  const versions = itemsOf(definition.spec?.versions);
  const rules = versions.flatMap((version, index) => {
    const props = version.schema?.openAPIV3Schema;
    const path = `spec.versions[${index}].schema.openAPIV3Schema`;
    return props ? rulesIn(readSchema(props), path) : [];
  });
  const [first, ...more] = rules;
  const others = more.length === 0 ? "" : ` and ${more.length} other places`;
  return first === undefined
    ? []
    : [
        `${first}.x-kubernetes-validations${others}: rules are stored but not evaluated in this version of Kogge`,
      ];
}

const placesMax = 1_000;

function rulesIn(props: SchemaProps, path: string, found: string[] = []): string[] {
  if (found.length >= placesMax) return found;
  if ((props["x-kubernetes-validations"] ?? []).length > 0) found.push(path);
  for (const [place, inner] of innerProps(props)) rulesIn(inner, `${path}.${place}`, found);
  return found;
}
