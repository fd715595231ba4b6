import { double, UintValue, type Value } from "#api/cel/value.ts";
import type { Expression } from "#api/cel/syntax/expression.ts";
import { SyntaxProblem, type Token } from "#api/cel/syntax/tokens.ts";

/** The literal of a number's token, which a sign may stand before. */
export function numberLiteral({ kind, text, at }: Token, sign: "" | "-"): Expression {
  return { kind: "literal", at, value: valueOf(kind, text, { sign, at }) };
}

interface Place {
  readonly sign: "" | "-";
  readonly at: number;
}

function valueOf(kind: Token["kind"], text: string, { sign, at }: Place): Value {
  if (kind === "float") {
    const number = Number(sign + text);
    if (!Number.isFinite(number)) throw new SyntaxProblem(at, "invalid double literal");
    return double(number);
  }
  if (kind === "uint") {
    const whole = BigInt(text.slice(0, -1));
    if (whole >= 2n ** 64n) throw new SyntaxProblem(at, "invalid uint literal");
    return new UintValue(whole);
  }
  const whole = sign === "-" ? -BigInt(text) : BigInt(text);
  if (whole >= 2n ** 63n || whole < -(2n ** 63n))
    throw new SyntaxProblem(at, "invalid int literal");
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole;
}
