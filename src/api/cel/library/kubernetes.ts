import type { Environment } from "#api/cel/environment.ts";
import { type FunctionRow, type FunctionTable, row, tableOf } from "#api/cel/function.ts";
import { traversal } from "#api/cel/cost/call-cost.ts";
import { authorization } from "#api/cel/library/authorizer.ts";
import { conversions } from "#api/cel/library/conversions.ts";
import { formats } from "#api/cel/library/formats.ts";
import { lists } from "#api/cel/library/lists.ts";
import { network } from "#api/cel/library/network.ts";
import { opaqueTypes } from "#api/cel/library/opaque.ts";
import { operators } from "#api/cel/library/operators.ts";
import { optionals } from "#api/cel/library/optionals.ts";
import { patterns } from "#api/cel/library/patterns.ts";
import { quantities } from "#api/cel/library/quantities.ts";
import { strings } from "#api/cel/library/strings.ts";
import { times } from "#api/cel/library/times.ts";
import { urls } from "#api/cel/library/urls.ts";
import { versions } from "#api/cel/library/versions.ts";
import { kubernetesMacros } from "#api/cel/syntax/macros.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  opaqueType,
  stringType,
  timestampType,
  type Type,
  typeOfType,
  uintType,
} from "#api/cel/type.ts";

const rows: readonly FunctionRow[] = [
  ...operators,
  ...conversions,
  ...strings,
  ...times,
  ...optionals,
  ...lists,
  ...patterns,
  ...urls,
  ...quantities,
  ...network,
  ...formats,
  ...versions,
  ...authorization,
];

const patchRows: readonly FunctionRow[] = [
  row(
    "jsonpatch.escapeKey",
    "(string) string",
    (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1"),
    {
      cost: traversal(0.1, true),
    },
  ),
];

let functions: FunctionTable | undefined;
let patchFunctions: FunctionTable | undefined;

/** What every expression of Kubernetes 1.36 may use. The tables are made when the first expression comes. */
export function kubernetesEnvironment(variables: ReadonlyMap<string, Type>): Environment {
  functions ??= tableOf(rows);
  return { functions, macros: kubernetesMacros, typeOf: typeNamed, variables };
}

/** With `jsonpatch.escapeKey`, and with objects of the types that are handed in: for mutations. */
export function mutationEnvironment(
  variables: ReadonlyMap<string, Type>,
  typeOf: (name: string) => Type | undefined,
): Environment {
  patchFunctions ??= tableOf([...rows, ...patchRows]);
  return {
    functions: patchFunctions,
    macros: kubernetesMacros,
    typeOf: (name) => typeNamed(name) ?? typeOf(name),
    variables,
  };
}

const names: ReadonlyMap<string, Type> = new Map([
  ["bool", boolType],
  ["bytes", bytesType],
  ["double", doubleType],
  ["int", intType],
  ["list", listOf(dynType)],
  ["map", mapOf(dynType, dynType)],
  ["null_type", nullType],
  ["string", stringType],
  ["type", typeOfType()],
  ["uint", uintType],
  ["optional_type", opaqueType("optional_type", [dynType])],
  [timestampType.name, timestampType],
  [durationType.name, durationType],
  ...opaqueTypes.map((type) => [type.name, type] as const),
]);

function typeNamed(name: string): Type | undefined {
  return names.get(name);
}
