import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from "#api/generated/types.ts";

export interface AcceptedNames {
  readonly names: CustomResourceDefinitionNames;
  readonly condition: Omit<CustomResourceDefinitionCondition, "lastTransitionTime">;
}

/**
 * Decides which of its names a definition gets: those that no other definition of its group, or built-in kind, has.
 * A name once accepted stays while its successor is taken.
 */
export function acceptNames(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinitionNames[],
): AcceptedNames {
  const wanted = definition.spec.names;
  const had = definition.status?.acceptedNames;
  const resources = new Set(others.flatMap(resourceNames));
  const kinds = new Set(others.flatMap((names) => [names.kind, names.listKind ?? ""]));
  const problems: { reason: string; message: string }[] = [];
  const settle = (reason: string, used: ReadonlySet<string>, name: string, before = ""): string => {
    if (name === before || name === "" || !used.has(name)) return name;
    problems.push({ reason, message: `"${name}" is already in use` });
    return before;
  };
  const plural = settle("PluralConflict", resources, wanted.plural, had?.plural);
  const singular = settle("SingularConflict", resources, wanted.singular ?? "", had?.singular);
  const shortNames = shortNamesOf(definition, resources, problems);
  const kind = settle("KindConflict", kinds, wanted.kind, had?.kind);
  const listKind = settle("ListKindConflict", kinds, wanted.listKind ?? "", had?.listKind);
  const last = problems.at(-1);
  return {
    names: {
      plural,
      ...(singular && { singular }),
      ...(shortNames && shortNames.length > 0 && { shortNames }),
      kind,
      ...(listKind && { listKind }),
      ...(wanted.categories && { categories: wanted.categories }),
    },
    condition: {
      type: "NamesAccepted",
      status: last === undefined ? "True" : "False",
      reason: last?.reason ?? "NoConflicts",
      message: last?.message ?? "no conflicts found",
    },
  };
}

function resourceNames(names: CustomResourceDefinitionNames): string[] {
  return [names.plural, names.singular ?? "", ...(names.shortNames ?? [])];
}

function shortNamesOf(
  { spec, status }: CustomResourceDefinition,
  used: ReadonlySet<string>,
  problems: { reason: string; message: string }[],
): readonly string[] | undefined {
  const had = status?.acceptedNames?.shortNames ?? [];
  const wanted = spec.names.shortNames ?? [];
  const taken = wanted.filter((name) => !had.includes(name) && used.has(name));
  if (taken.length === 0) return wanted;
  const texts = taken.map((name) => `"${name}" is already in use`);
  const message = texts.length > 1 ? `[${texts.join(", ")}]` : (texts[0] ?? "");
  problems.push({ reason: "ShortNamesConflict", message });
  return had;
}
