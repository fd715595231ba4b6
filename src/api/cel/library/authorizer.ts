import { type CallCost, fixedCost } from "#api/cel/cost/call-cost.ts";
import {
  add,
  exactly,
  letterCost,
  listCost,
  type Range,
  scale,
  structCost,
} from "#api/cel/cost/range.ts";
import { costSizeOf } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import {
  authorizerType,
  decisionType,
  groupCheckType,
  pathCheckType,
  resourceCheckType,
} from "#api/cel/library/opaque.ts";
import type { Type } from "#api/cel/type.ts";
import { CelObject, EvaluationError } from "#api/cel/value.ts";

/** What an expression asks the authorizer. */
export interface AuthorizationQuestion {
  /** Undefined: the user of the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  /** For a path that is no resource. */
  readonly path?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly verb: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface AuthorizationAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** Why there is no answer. */
  readonly error?: string;
}

/** Answers at once, or throws what makes the caller begin again later. */
export type Ask = (question: AuthorizationQuestion) => AuthorizationAnswer;

const anything = { group: "", resource: "", subresource: "", namespace: "", name: "", verb: "" };

/** The variable `authorizer`, and the checks that are built from it. */
class Check extends CelObject {
  readonly type: Type;
  readonly question: AuthorizationQuestion;
  readonly ask: Ask;

  constructor(type: Type, question: AuthorizationQuestion, ask: Ask) {
    super();
    this.type = type;
    this.question = question;
    this.ask = ask;
  }

  with(type: Type, more: Partial<AuthorizationQuestion>): Check {
    return new Check(type, { ...this.question, ...more }, this.ask);
  }

  equals(other: CelObject): boolean {
    return (
      other instanceof Check && JSON.stringify(other.question) === JSON.stringify(this.question)
    );
  }
}

class Decision extends CelObject {
  readonly type = decisionType;
  readonly answer: AuthorizationAnswer;

  constructor(answer: AuthorizationAnswer) {
    super();
    this.answer = answer;
  }

  equals(other: CelObject): boolean {
    return (
      other instanceof Decision && JSON.stringify(other.answer) === JSON.stringify(this.answer)
    );
  }
}

export function authorizerValue(ask: Ask): CelObject {
  return new Check(authorizerType, anything, ask);
}

/** `authorizer.requestResource`: what the request is about. */
export function requestResourceValue(
  resource: Pick<
    AuthorizationQuestion,
    "group" | "resource" | "subresource" | "namespace" | "name"
  >,
  ask: Ask,
): CelObject {
  return new Check(resourceCheckType, { ...anything, ...resource }, ask);
}

const nominal = { cost: fixedCost(1) };
/** So much that an expression can afford two. */
const checking = { cost: fixedCost(350_000) };

const selecting: { readonly cost: CallCost } = {
  cost: {
    estimate: (call) => ({ cost: selectorCost(call.size(1)) }),
    actual: ([, text = null]) => selectorCost(exactly(costSizeOf(text))).max,
  },
};

function selectorCost(size: Range): Range {
  const requirements = scale(scale(size, 0.5), listCost + structCost);
  return add(exactly(listCost), scale(size, letterCost), requirements);
}

/** Asks what the user, or a service account, may do. */
export const authorization: readonly FunctionRow[] = [
  row(
    "path",
    "kubernetes.authorization.Authorizer.(string) kubernetes.authorization.PathCheck",
    (check: Check, path: string) => {
      if (path === "") throw new EvaluationError("path must not be empty");
      return check.with(pathCheckType, { path });
    },
    nominal,
  ),
  row(
    "group",
    "kubernetes.authorization.Authorizer.(string) kubernetes.authorization.GroupCheck",
    (check: Check, group: string) => check.with(groupCheckType, { group }),
    nominal,
  ),
  row(
    "serviceAccount",
    "kubernetes.authorization.Authorizer.(string, string) kubernetes.authorization.Authorizer",
    (check: Check, namespace: string, name: string) => {
      return check.with(authorizerType, { serviceAccount: { namespace, name } });
    },
    nominal,
  ),
  row(
    "resource",
    "kubernetes.authorization.GroupCheck.(string) kubernetes.authorization.ResourceCheck",
    (check: Check, resource: string) => {
      return check.with(resourceCheckType, { resource });
    },
    nominal,
  ),
  narrowing("subresource"),
  narrowing("namespace"),
  narrowing("name"),
  narrowing("fieldSelector"),
  narrowing("labelSelector"),
  row(
    "check",
    "kubernetes.authorization.PathCheck.(string) kubernetes.authorization.Decision",
    decide,
    checking,
  ),
  row(
    "check",
    "kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.Decision",
    decide,
    checking,
  ),
  row(
    "errored",
    "kubernetes.authorization.Decision.() bool",
    ({ answer }: Decision) => answer.error !== undefined,
    nominal,
  ),
  row(
    "error",
    "kubernetes.authorization.Decision.() string",
    ({ answer }: Decision) => answer.error ?? "",
    nominal,
  ),
  row(
    "allowed",
    "kubernetes.authorization.Decision.() bool",
    ({ answer }: Decision) => answer.allowed,
    nominal,
  ),
  row(
    "reason",
    "kubernetes.authorization.Decision.() string",
    ({ answer }: Decision) => answer.reason,
    nominal,
  ),
];

function narrowing(
  part: "subresource" | "namespace" | "name" | "fieldSelector" | "labelSelector",
): FunctionRow {
  return row(
    part,
    "kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck",
    (check: Check, value: string) => check.with(resourceCheckType, { [part]: value }),
    part.endsWith("Selector") ? selecting : nominal,
  );
}

function decide(check: Check, verb: string): Decision {
  return new Decision(check.ask({ ...check.question, verb }));
}
