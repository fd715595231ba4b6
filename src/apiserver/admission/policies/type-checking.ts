import { admissionEnvironment, compileFor } from "#api/cel/admission/environment.ts";
import { typeOfSchema } from "#api/cel/admission/schema-type.ts";
import { dynType, type Type } from "#api/cel/type.ts";
import type {
  ExpressionWarning,
  NamedRuleWithOperations,
  ParamKind,
  ValidatingAdmissionPolicy,
  Variable,
} from "#api/generated/types.ts";
import type { Kind } from "#api/kind.ts";
import type { KindRegistry } from "#apiserver/kind-registry.ts";

/**
 * What a policy's expressions get wrong about the kinds that it names, in upstream's words. They change nothing of
 * what the policy does: at run time objects have no declared type.
 */
export function typeWarnings(
  { spec }: ValidatingAdmissionPolicy,
  kinds: KindRegistry,
): readonly ExpressionWarning[] {
  const { validations = [], paramKind, variables = [] } = spec ?? {};
  const checked = kindsToCheck(spec?.matchConstraints?.resourceRules ?? [], kinds);
  const params = paramKind === undefined ? undefined : paramsType(paramKind, kinds);
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expression: string | undefined): void => {
    if (!expression) return;
    const texts = checked.flatMap((kind) => {
      const problem = problemWith(expression, { kind, params, variables });
      return problem === undefined ? [] : [`${nameOf(kind)}: ${problem}\n`];
    });
    if (texts.length > 0) warnings.push({ fieldRef, warning: texts.join("\n") });
  };
  for (const [index, { expression, messageExpression }] of validations.entries()) {
    check(`spec.validations[${index}].expression`, expression);
    check(`spec.validations[${index}].messageExpression`, messageExpression);
  }
  return warnings;
}

function nameOf({ group, version, kind }: Kind): string {
  return `${group === "" ? version : `${group}/${version}`}, Kind=${kind}`;
}

interface Checking {
  readonly kind: Kind;
  readonly params: Type | undefined;
  readonly variables: readonly Variable[];
}

function problemWith(
  expression: string,
  { kind, params, variables }: Checking,
): string | undefined {
  const types = new Map<string, Type>();
  const environment = admissionEnvironment({
    hasAuthorizer: true,
    hasParams: params !== undefined,
    object: typeOfSchema(kind.schema, kind.kind),
    variables: types,
    ...(params && { params }),
  });
  for (const variable of variables) {
    const { program } = compileFor(variable.expression, environment, []);
    types.set(variable.name, program?.type ?? dynType);
  }
  return compileFor(expression, environment, []).error;
}

function paramsType({ apiVersion = "", kind = "" }: ParamKind, kinds: KindRegistry): Type {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const found = kinds.ofKind(group, apiVersion.slice(slash + 1), kind);
  return found === undefined ? dynType : typeOfSchema(found.schema, found.kind);
}

const kindsMax = 10;

/** The kinds that rules name without wildcards. */
function kindsToCheck(
  rules: readonly NamedRuleWithOperations[],
  kinds: KindRegistry,
): readonly Kind[] {
  const found = new Set<Kind>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of rules) {
    if ([...apiGroups, ...apiVersions].includes("*")) continue;
    const whole = resources.filter((name) => !/[*/]/.test(name));
    for (const group of apiGroups.toSorted()) {
      for (const version of apiVersions.toSorted()) {
        for (const resource of whole.toSorted()) {
          const kind = kinds.find(group, version, resource);
          if (kind !== undefined && found.size < kindsMax) found.add(kind);
        }
      }
    }
  }
  return [...found].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
