import { compileExpression, evaluate, type Program } from "#api/cel/compile-expression.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { dynType, listOf, mapOf, stringType, structType, type Type } from "#api/cel/type.ts";
import type { Value } from "#api/cel/value.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** The claims of a token as CEL sees them, and the user that came of them. */
const claimsEnvironment = kubernetesEnvironment(new Map([["claims", mapOf(stringType, dynType)]]));

const userFields: ReadonlyMap<string, Type> = new Map([
  ["username", stringType],
  ["uid", stringType],
  ["groups", listOf(stringType)],
  ["extra", mapOf(stringType, listOf(stringType))],
]);

const userEnvironment = kubernetesEnvironment(
  new Map([
    ["user", structType("kubernetes.UserInfo", { fieldOf: (field) => userFields.get(field) })],
  ]),
);

export type Subject = "claims" | "user";

/** What an expression must give: a rule holds or does not; what a mapping gives is looked at when it is there. */
export type Result = "bool" | "anything";

/**
 * Compiles an expression about claims or about a user.
 * @returns the program, or what is wrong with the expression
 */
export function compileRule(
  source: string,
  about: Subject,
  result: Result,
): { readonly program: Program } | { readonly problem: string } {
  const environment = about === "claims" ? claimsEnvironment : userEnvironment;
  const { program, errors } = compileExpression(source, environment);
  if (errors !== undefined) return { problem: `compilation failed: ${errors}` };
  if (result === "bool" && program.type.kind !== "bool")
    return { problem: "must evaluate to bool" };
  return { program };
}

/** @throws when the expression fails on what it is given */
export function valueOf(program: Program, variables: Readonly<Record<string, Value>>): Value {
  const outcome = evaluate(program, variables);
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

/** The user as expressions name it. */
export function userValue({ name, uid = "", groups, extra = {} }: UserInfo): Value {
  return { username: name, uid, groups, extra } as unknown as Value;
}
