import {
  admissionEnvironment,
  compileFor,
  type CompiledFor,
} from "#api/cel/admission/environment.ts";
import { jsonPatchesType, objectType } from "#api/cel/admission/mutation-types.ts";
import { boolType, dynType, nullType, stringType, type Type } from "#api/cel/type.ts";
import type {
  MutatingAdmissionPolicy,
  Mutation,
  ParamKind,
  ValidatingAdmissionPolicy,
  Variable,
} from "#api/generated/types.ts";
import {
  compileConditions,
  type CompiledConditions,
} from "#apiserver/admission/expressions/match-conditions.ts";
import { matchingOf, type Matching } from "#apiserver/admission/matching/matching.ts";
import { matchSpecOf } from "#apiserver/admission/policies/match-resources.ts";

/** A policy of either kind with its expressions ready to run. */
interface CompiledPolicy {
  readonly name: string;
  readonly ignoresFailures: boolean;
  readonly paramKind: ParamKind | undefined;
  readonly matching: Matching;
  readonly conditions: CompiledConditions;
  readonly variables: readonly CompiledVariable[];
  readonly variablesType: Type;
}

export interface CompiledVariable {
  readonly name: string;
  readonly compiled: CompiledFor;
}

export interface ValidatingPolicy extends CompiledPolicy {
  readonly validations: readonly CompiledValidation[];
  readonly annotations: readonly {
    readonly key: string;
    readonly source: string;
    readonly compiled: CompiledFor;
  }[];
}

export interface CompiledValidation {
  readonly source: string;
  readonly compiled: CompiledFor;
  readonly message: string;
  readonly messageExpression: CompiledFor | undefined;
  /** A status reason: `Invalid`, `Forbidden`, … */
  readonly reason: string;
}

export interface MutatingPolicy extends CompiledPolicy {
  readonly mutations: readonly CompiledMutation[];
  /** Wants to run again when something changed the object after it. */
  readonly again: boolean;
}

export interface CompiledMutation {
  readonly kind: Mutation["patchType"];
  readonly compiled: CompiledFor;
}

export function validatingPolicyOf({
  metadata,
  spec,
}: ValidatingAdmissionPolicy): ValidatingPolicy {
  const hasParams = spec?.paramKind !== undefined;
  const { variables, types } = compileVariables(spec?.variables ?? [], { hasParams });
  const names = { hasParams, variables: types };
  const asking = admissionEnvironment({ ...names, hasAuthorizer: true });
  const telling = admissionEnvironment(names);
  return {
    ...commonParts(metadata.name ?? "", spec ?? {}),
    variables,
    variablesType: variablesTypeOf(asking),
    validations: (spec?.validations ?? []).map((validation) => ({
      source: validation.expression,
      compiled: compileFor(validation.expression, asking, [boolType]),
      message: validation.message ?? "",
      messageExpression: validation.messageExpression
        ? compileFor(validation.messageExpression, telling, [stringType])
        : undefined,
      reason: validation.reason ?? "Invalid",
    })),
    annotations: (spec?.auditAnnotations ?? []).map(({ key, valueExpression: source }) => ({
      key,
      source,
      compiled: compileFor(source, asking, [stringType, nullType]),
    })),
  };
}

export function mutatingPolicyOf({ metadata, spec }: MutatingAdmissionPolicy): MutatingPolicy {
  const hasParams = spec?.paramKind !== undefined;
  const { variables, types } = compileVariables(spec?.variables ?? [], {
    hasParams,
    mutates: true,
  });
  const environment = admissionEnvironment({
    hasParams,
    hasAuthorizer: true,
    mutates: true,
    variables: types,
  });
  return {
    ...commonParts(metadata.name ?? "", spec ?? {}),
    variables,
    variablesType: variablesTypeOf(environment),
    again: spec?.reinvocationPolicy === "IfNeeded",
    mutations: (spec?.mutations ?? []).map((mutation) => ({
      kind: mutation.patchType,
      compiled: compileMutation(mutation, environment),
    })),
  };
}

function compileMutation(
  mutation: Mutation,
  environment: ReturnType<typeof admissionEnvironment>,
): CompiledFor {
  return mutation.patchType === "JSONPatch"
    ? compileFor(mutation.jsonPatch?.expression ?? "", environment, [jsonPatchesType])
    : compileFor(mutation.applyConfiguration?.expression ?? "", environment, [objectType]);
}

type Spec = NonNullable<ValidatingAdmissionPolicy["spec"] | MutatingAdmissionPolicy["spec"]>;

function commonParts(name: string, spec: Spec) {
  const hasParams = spec.paramKind !== undefined;
  return {
    name,
    ignoresFailures: spec.failurePolicy === "Ignore",
    paramKind: spec.paramKind,
    matching: matchingOf(matchSpecOf(spec.matchConstraints)),
    conditions: compileConditions(spec.matchConditions ?? [], { hasParams }),
  };
}

/** Each variable sees those before it. */
function compileVariables(
  variables: readonly Variable[],
  names: { readonly hasParams: boolean; readonly mutates?: boolean },
): { readonly variables: readonly CompiledVariable[]; readonly types: ReadonlyMap<string, Type> } {
  const types = new Map<string, Type>();
  const environment = admissionEnvironment({
    ...names,
    hasAuthorizer: true,
    variables: types,
  });
  const compiled = variables.map(({ name, expression }) => {
    const one = compileFor(expression, environment, []);
    types.set(name, one.program?.type ?? dynType);
    return { name, compiled: one };
  });
  return { variables: compiled, types };
}

function variablesTypeOf({ variables }: ReturnType<typeof admissionEnvironment>): Type {
  return variables.get("variables") ?? dynType;
}
