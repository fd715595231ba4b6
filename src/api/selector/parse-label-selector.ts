import { badRequest, type StatusError } from "#api/status.ts";
import { labelKeyProblems } from "#api/selector/label-syntax.ts";
import {
  assertRequirement,
  matcherOf,
  type LabelMatcher,
  type LabelOperator,
  type LabelRequirement,
} from "#api/selector/label-requirement.ts";

/**
 * Parses the text form of a label selector (`app=web,tier in (a,b),!old`) with the grammar of apimachinery's
 * `labels.Parse`. Throws a 400 with upstream's text. The empty text takes everything.
 */
export function parseLabelSelector(text: string): LabelMatcher {
  const tokens = createTokens(text);
  const requirements: LabelRequirement[] = [];
  for (;;) {
    const token = tokens.peek();
    if (token.kind === "end") return matcherOf(requirements);
    if (token.kind !== "word" && token.kind !== "!") {
      throw badRequest(`found '${token.text}', expected: !, identifier, or 'end of string'`);
    }
    requirements.push(parseRequirement(tokens));
    const separator = tokens.next();
    if (separator.kind === "end") return matcherOf(requirements);
    if (separator.kind !== ",") {
      throw badRequest(`found '${separator.text}', expected: ',' or 'end of string'`);
    }
    const following = tokens.peek();
    if (following.kind !== "word" && following.kind !== "!") {
      throw badRequest(`found '${following.text}', expected: identifier after ','`);
    }
  }
}

interface Token {
  /** `word` is a key, a value, or one of the operators `in` and `notin`. */
  readonly kind: "word" | "end" | "bad" | "(" | ")" | "," | "!" | "=" | "==" | "!=" | ">" | "<";
  readonly text: string;
}

interface Tokens {
  peek(): Token;
  next(): Token;
}

const end: Token = { kind: "end", text: "" };
const lexeme = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))/y;

function createTokens(text: string): Tokens {
  let position = 0;
  let ahead: Token | undefined;
  const read = (): Token => {
    lexeme.lastIndex = position;
    const match = lexeme.exec(text);
    if (match === null) return end;
    position = lexeme.lastIndex;
    return match[1] === undefined
      ? { kind: "word", text: match[2] ?? "" }
      : { kind: match[1] as Token["kind"], text: match[1] };
  };
  return {
    peek: () => (ahead ??= read()),
    next() {
      const token = ahead ?? read();
      ahead = undefined;
      return token;
    },
  };
}

function parseRequirement(tokens: Tokens): LabelRequirement {
  let token = tokens.next();
  const negated = token.kind === "!";
  if (negated) token = tokens.next();
  if (token.kind !== "word") throw unparsable(`found '${token.text}', expected: identifier`);
  const key = token.text;
  const problems = labelKeyProblems(key);
  if (problems.length > 0) {
    throw unparsable(`<nil>: Invalid value: ${JSON.stringify(key)}: ${problems.join("; ")}`);
  }
  const requirement = parseRestriction(tokens, key, negated);
  assertRequirement(requirement, unparsablePrefix);
  return requirement;
}

function parseRestriction(tokens: Tokens, key: string, negated: boolean): LabelRequirement {
  const following = tokens.peek().kind;
  if (negated) return { key, operator: "!", values: [] };
  if (following === "end" || following === ",") return { key, operator: "exists", values: [] };
  const operator = parseOperator(tokens.next());
  const values =
    operator === "in" || operator === "notin" ? parseValues(tokens) : [parseExactValue(tokens)];
  return { key, operator, values };
}

function parseOperator(token: Token): LabelOperator {
  switch (token.kind) {
    case "=":
    case "==":
    case "!=":
      return token.kind;
    case ">":
      return "gt";
    case "<":
      return "lt";
    default:
      if (token.text === "in" || token.text === "notin") return token.text;
      throw unparsable(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function parseExactValue(tokens: Tokens): string {
  const following = tokens.peek();
  if (following.kind === "end" || following.kind === ",") return "";
  const token = tokens.next();
  if (token.kind !== "word") throw unparsable(`found '${token.text}', expected: identifier`);
  return token.text;
}

/** `(a,b)`; an empty place between commas or parentheses is the empty value. */
function parseValues(tokens: Tokens): string[] {
  const open = tokens.next();
  if (open.kind !== "(") throw unparsable(`found '${open.text}' expected: '('`);
  const first = tokens.peek();
  if (first.kind !== "word" && first.kind !== "," && first.kind !== ")") {
    throw unparsable(`found '${first.text}', expected: ',', ')' or identifier`);
  }
  const values = new Set<string>();
  for (;;) {
    let token = tokens.next();
    let value = "";
    if (token.kind === "word") {
      value = token.text;
      token = tokens.next();
      if (token.kind !== "," && token.kind !== ")") {
        throw unparsable(`found '${token.text}', expected: ',' or ')'`);
      }
    }
    values.add(value);
    if (token.kind === ")") return [...values].toSorted();
    if (token.kind !== ",") throw unparsable(`found '${token.text}', expected: ',', or identifier`);
  }
}

const unparsablePrefix = "unable to parse requirement: ";

function unparsable(why: string): StatusError {
  return badRequest(unparsablePrefix + why);
}
