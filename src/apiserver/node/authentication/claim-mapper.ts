import type { Program } from "#api/cel/compile-expression.ts";
import type { Value } from "#api/cel/value.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import {
  compileRule,
  userValue,
  valueOf,
  type Result,
  type Subject,
} from "#apiserver/node/authentication/claim-expressions.ts";
import type { ClaimOrExpression, JwtIssuer } from "#apiserver/node/authentication/configuration.ts";
import type { UserInfo } from "#apiserver/request.ts";

export type Claims = Readonly<Record<string, unknown>>;

/**
 * Makes a user of verified claims, by the rules of one issuer.
 * @throws when a rule does not hold or a claim is missing; the message is for the operator
 */
export type ClaimMapper = (claims: Claims) => UserInfo;

type Read<T> = (claims: Claims) => T;

export function createClaimMapper(jwt: Given<JwtIssuer>): ClaimMapper {
  const { username, groups, uid, extra } = jwt.claimMappings ?? {};
  const nameOf = usernameReader(username ?? {}, jwt);
  const groupsOf = listReader(groups ?? {});
  const uidOf = textReader(uid ?? {});
  const extras = itemsOf(extra).map(({ key, valueExpression }) => {
    const program = programOf(valueExpression ?? "", "claims", "anything");
    return { key: key ?? "", read: (claims: Claims) => textsOf(run(program, claims)) };
  });
  const holds = [...claimRules(jwt)];
  const userHolds = itemsOf(jwt.userValidationRules).map((rule) => userRule(rule));
  return (claims) => {
    const name = nameOf(claims);
    if (name === "") throw new Error("the user name is empty");
    const id = uidOf(claims);
    const more = extras
      .map(({ key, read }) => [key, read(claims)] as const)
      .filter(([, values]) => values.length > 0);
    const user: UserInfo = {
      name,
      groups: groupsOf(claims),
      ...(id !== "" && { uid: id }),
      ...(more.length > 0 && { extra: Object.fromEntries(more) }),
    };
    for (const check of holds) check(claims);
    for (const check of userHolds) check(user);
    return user;
  };
}

function usernameReader(
  mapping: Given<ClaimOrExpression> & { readonly prefix?: string | null },
  jwt: Given<JwtIssuer>,
): Read<string> {
  if (mapping.expression) {
    const program = programOf(mapping.expression, "claims", "anything");
    return (claims) => {
      const value = run(program, claims);
      if (typeof value !== "string")
        throw new Error("username claim expression must return a string");
      return value;
    };
  }
  const claim = mapping.claim ?? "";
  return (claims) => {
    const name = claims[claim];
    if (typeof name !== "string") throw new Error(`the claim "${claim}" is not a text`);
    if (claim === "email" && "email_verified" in claims && claims["email_verified"] !== true)
      throw new Error(`the email "${name}" is not verified by ${jwt.issuer?.url}`);
    return `${mapping.prefix ?? ""}${name}`;
  };
}

function listReader(
  mapping: Given<ClaimOrExpression> & { readonly prefix?: string | null },
): Read<readonly string[]> {
  if (mapping.expression) {
    const program = programOf(mapping.expression, "claims", "anything");
    return (claims) => textsOf(run(program, claims));
  }
  const { claim } = mapping;
  if (!claim) return () => [];
  return (claims) => {
    const value = claims[claim];
    if (value === undefined) return [];
    return listOfTexts(value, claim).map((group) => `${mapping.prefix ?? ""}${group}`);
  };
}

function textReader({ claim, expression }: Given<ClaimOrExpression>): Read<string> {
  if (expression) {
    const program = programOf(expression, "claims", "anything");
    return (claims) => {
      const value = run(program, claims);
      if (typeof value !== "string") throw new Error("uid claim expression must return a string");
      return value;
    };
  }
  if (!claim) return () => "";
  return (claims) => {
    const value = claims[claim];
    if (typeof value !== "string") throw new Error(`the claim "${claim}" is not a text`);
    return value;
  };
}

function* claimRules(jwt: Given<JwtIssuer>): Generator<(claims: Claims) => void> {
  for (const { claim, requiredValue, expression, message } of itemsOf(jwt.claimValidationRules)) {
    if (claim) {
      yield (claims) => {
        if (!(claim in claims)) throw new Error(`required claim ${claim} not present in ID token`);
        if (claims[claim] !== (requiredValue ?? ""))
          throw new Error(`required claim ${claim} value does not match`);
      };
    } else if (expression) {
      const program = programOf(expression, "claims", "bool");
      yield (claims) => {
        if (run(program, claims) !== true) throw new Error(ruleText(expression, message));
      };
    }
  }
}

function userRule(rule: {
  readonly expression?: string | null;
  readonly message?: string | null;
}): (user: UserInfo) => void {
  const program = programOf(rule.expression ?? "", "user", "bool");
  return (user) => {
    if (valueOf(program, { user: userValue(user) }) !== true)
      throw new Error(ruleText(rule.expression ?? "", rule.message));
  };
}

function ruleText(expression: string, message: string | null | undefined): string {
  return message
    ? `validation expression '${expression}' failed: ${message}`
    : `validation expression '${expression}' failed`;
}

function programOf(source: string, about: Subject, result: Result): Program {
  const compiled = compileRule(source, about, result);
  if ("problem" in compiled) throw new Error(compiled.problem);
  return compiled.program;
}

function run(program: Program, claims: Claims): Value {
  return valueOf(program, { claims: claims as Readonly<Record<string, Value>> as Value });
}

/** A text, a list of texts, or nothing; other values are as if they were not there. */
function textsOf(value: Value): readonly string[] {
  if (value === null || value === "") return [];
  if (typeof value === "string") return [value];
  if (!Array.isArray(value))
    throw new Error("the expression gives neither a text nor a list of texts");
  return (value as readonly unknown[]).filter(
    (one) => typeof one === "string" && one !== "",
  ) as string[];
}

function listOfTexts(value: unknown, claim: string): readonly string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw new Error(`the claim "${claim}" is neither a text nor a list of texts`);
}
