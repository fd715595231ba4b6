import { compileExpression, type Program } from "#api/cel/compile-expression.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { optionalOf, type Type } from "#api/cel/type.ts";
import { type Rule, rulesOf } from "#api/custom/rules/rule.ts";
import { ruleFieldPath } from "#api/custom/rules/rule-field-path.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";

/** A rule that is ready to run, or what keeps it from that. */
export interface CompiledRule {
  readonly rule: Rule;
  /** Undefined where the rule is empty or wrong. */
  readonly program: Program | undefined;
  readonly error: string | undefined;
  readonly message: Program | undefined;
  readonly messageError: string | undefined;
  readonly usesOldSelf: boolean;
  /** Below the value that the rule is on; undefined: that value itself. */
  readonly fieldPath: string | undefined;
}

/** Compiles the rules on one schema, whose values are of that type. */
export function compileRules(props: SchemaProps, self: Type): readonly CompiledRule[] {
  const rules = rulesOf(props);
  if (rules.length === 0) return [];
  const plain = kubernetesEnvironment(
    new Map([
      ["self", self],
      ["oldSelf", self],
    ]),
  );
  const optional = kubernetesEnvironment(
    new Map([
      ["self", self],
      ["oldSelf", optionalOf(self)],
    ]),
  );
  return rules.map((rule) => compileRule(props, rule, rule.optionalOldSelf ? optional : plain));
}

function compileRule(
  props: SchemaProps,
  rule: Rule,
  environment: ReturnType<typeof kubernetesEnvironment>,
): CompiledRule {
  const nothing = {
    program: undefined,
    error: undefined,
    message: undefined,
    messageError: undefined,
  };
  const base = { rule, ...nothing, usesOldSelf: false, fieldPath: undefined };
  if (rule.rule.trim() === "") return base;
  const { program, errors } = compileExpression(rule.rule, environment);
  if (program === undefined) return { ...base, error: `compilation failed: ${errors}` };
  if (program.type.kind !== "bool") {
    return { ...base, error: "cel expression must evaluate to a bool" };
  }
  const fieldPath = rule.fieldPath === "" ? undefined : ruleFieldPath(rule.fieldPath, props);
  const usesOldSelf = program.variables.has("oldSelf");
  return { ...base, program, usesOldSelf, fieldPath, ...compileMessage(rule, environment) };
}

function compileMessage(
  { messageExpression }: Rule,
  environment: ReturnType<typeof kubernetesEnvironment>,
): Partial<CompiledRule> {
  if (messageExpression === "") return {};
  const { program, errors } = compileExpression(messageExpression, environment);
  if (program === undefined) {
    return { messageError: `messageExpression compilation failed: ${errors}` };
  }
  if (program.type.kind !== "string") {
    return { messageError: "messageExpression must evaluate to a string" };
  }
  return { message: program };
}
