import { compileExpression, type Program } from "#api/cel/compile-expression.ts";
import type { Environment } from "#api/cel/environment.ts";
import { objectTypeNamed } from "#api/cel/admission/mutation-types.ts";
import { namespaceType, requestType } from "#api/cel/admission/types.ts";
import { kubernetesEnvironment, mutationEnvironment } from "#api/cel/library/kubernetes.ts";
import { authorizerType, resourceCheckType } from "#api/cel/library/opaque.ts";
import { dynType, formatType, isSameType, structType, type Type } from "#api/cel/type.ts";

/** What the expressions of webhooks and policies may name beside the request, its objects and namespace. */
export interface AdmissionNames {
  readonly hasParams?: boolean;
  readonly hasAuthorizer?: boolean;
  /** The variables that a policy defines, by name, so far. Absent: there is no `variables`. */
  readonly variables?: ReadonlyMap<string, Type>;
  /** Objects and patches may be made: `Object{spec: …}`, `JSONPatch{…}`. */
  readonly mutates?: boolean;
  /** What `object` and `oldObject` are; default anything. */
  readonly object?: Type;
  /** What `params` is; default anything. */
  readonly params?: Type;
}

export function admissionEnvironment(names: AdmissionNames): Environment {
  const object = names.object ?? dynType;
  const variables = new Map<string, Type>([
    ["object", object],
    ["oldObject", object],
    ["request", requestType],
    ["namespaceObject", namespaceType],
  ]);
  if (names.hasParams) variables.set("params", names.params ?? dynType);
  if (names.hasAuthorizer) {
    variables.set("authorizer", authorizerType);
    variables.set("authorizer.requestResource", resourceCheckType);
  }
  if (names.variables !== undefined) variables.set("variables", variablesType(names.variables));
  return names.mutates
    ? mutationEnvironment(variables, objectTypeNamed)
    : kubernetesEnvironment(variables);
}

function variablesType(variables: ReadonlyMap<string, Type>): Type {
  return structType("kubernetes.variables", { fieldOf: (name) => variables.get(name) });
}

export type CompiledFor =
  | { readonly program: Program; readonly error?: undefined }
  /** Upstream's text: `compilation failed: …`, `must evaluate to bool but got …`. */
  | { readonly program?: undefined; readonly error: string };

/** Compiles an expression whose result must be of one of these types; none: of any. */
export function compileFor(
  source: string,
  environment: Environment,
  results: readonly Type[],
): CompiledFor {
  const { program, errors } = compileExpression(source, environment);
  if (program === undefined) return { error: `compilation failed: ${errors}` };
  if (results.length === 0 || results.some((one) => isSameType(one, program.type))) {
    return { program };
  }
  const names = results.map((type) => type.name);
  const wanted = names.length === 1 ? names.join() : `one of [${names.join(" ")}]`;
  return { error: `must evaluate to ${wanted} but got ${formatType(program.type)}` };
}
