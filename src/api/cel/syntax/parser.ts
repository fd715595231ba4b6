import { lettersOf } from "#api/cel/equality.ts";
import type { Expression, MapEntry, StructField } from "#api/cel/syntax/expression.ts";
import { qualifiedNameOf } from "#api/cel/syntax/expression.ts";
import type { Macros } from "#api/cel/syntax/macros.ts";
import { numberLiteral } from "#api/cel/syntax/number-literals.ts";
import { SyntaxProblem, type Token, tokensOf } from "#api/cel/syntax/tokens.ts";

/** Reads an expression and expands its macros. Throws `SyntaxProblem`. */
export function parseExpression(source: string, macros: Macros): Expression {
  const size = lettersOf(source);
  if (size > sourceLettersMax) {
    throw new SyntaxProblem(
      0,
      `expression code point size exceeds limit: size: ${size}, limit ${sourceLettersMax}`,
    );
  }
  return new Parser(tokensOf(source), macros).parse();
}

const sourceLettersMax = 100_000;
/** How deep an expression may be nested; what walks it later recurses that deep. */
const depthMax = 250;

const relations: Readonly<Record<string, string>> = {
  "==": "_==_",
  "!=": "_!=_",
  "<": "_<_",
  "<=": "_<=_",
  ">": "_>_",
  ">=": "_>=_",
};
const sums: Readonly<Record<string, string>> = { "+": "_+_", "-": "_-_" };
const products: Readonly<Record<string, string>> = { "*": "_*_", "/": "_/_", "%": "_%_" };

const reserved: ReadonlySet<string> = new Set(
  "as break const continue else false for function if import in let loop namespace null package return true var void while".split(
    " ",
  ),
);
/** These are tokens of their own: not even a field can have such a name. */
const keywords: ReadonlySet<string> = new Set(["false", "in", "null", "true"]);

class Parser {
  readonly #tokens: readonly Token[];
  readonly #macros: Macros;
  #index = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], macros: Macros) {
    this.#tokens = tokens;
    this.#macros = macros;
  }

  parse(): Expression {
    const expression = this.#expression();
    if (this.#token.kind !== "end") throw this.#unexpected("extraneous");
    return expression;
  }

  #expression(): Expression {
    return this.#nested(() => {
      const condition = this.#or();
      const { at } = this.#token;
      if (!this.#take("?")) return condition;
      const yes = this.#or();
      this.#expect(":");
      return call(at, "_?_:_", [condition, yes, this.#expression()]);
    });
  }

  #or(): Expression {
    return this.#balanced("||", "_||_", () => this.#balanced("&&", "_&&_", () => this.#relation()));
  }

  /** Chains of `&&` and `||` become trees of little depth, as upstream has them. */
  #balanced(symbol: string, name: string, operand: () => Expression): Expression {
    const terms = [operand()];
    const places: number[] = [];
    for (let { at } = this.#token; this.#take(symbol); { at } = this.#token) {
      places.push(at);
      terms.push(operand());
    }
    return balance(name, { terms, places }, 0, terms.length - 1);
  }

  #relation(): Expression {
    let left = this.#sum();
    for (let links = 1; ; links += 1) {
      const { at, text, kind } = this.#token;
      const isIn = kind === "identifier" && text === "in";
      const name = kind === "symbol" ? relations[text] : undefined;
      if (!isIn && name === undefined) return left;
      this.#limit(links);
      this.#index += 1;
      left = call(at, name ?? "@in", [left, this.#sum()]);
    }
  }

  #sum(): Expression {
    return this.#chain(sums, () => this.#chain(products, () => this.#unary()));
  }

  #chain(names: Readonly<Record<string, string>>, operand: () => Expression): Expression {
    let left = operand();
    for (let links = 1; ; links += 1) {
      const { at, text, kind } = this.#token;
      const name = kind === "symbol" ? names[text] : undefined;
      if (name === undefined) return left;
      this.#limit(links);
      this.#index += 1;
      left = call(at, name, [left, operand()]);
    }
  }

  #unary(): Expression {
    const { at } = this.#token;
    if (this.#isSymbol("-") && this.#isNumber(1)) return this.#member();
    for (const symbol of ["!", "-"] as const) {
      let count = 0;
      while (this.#isSymbol(symbol) && !(symbol === "-" && count > 0 && this.#isNumber(1))) {
        this.#index += 1;
        count += 1;
      }
      if (count === 0) continue;
      const operand = this.#member();
      return count % 2 === 0 ? operand : call(at, `${symbol}_`, [operand]);
    }
    return this.#member();
  }

  #isNumber(ahead: number): boolean {
    const kind = this.#tokens[this.#index + ahead]?.kind;
    return kind === "int" || kind === "float";
  }

  #member(): Expression {
    let operand = this.#primary();
    for (let links = 1; ; links += 1) {
      const { at } = this.#token;
      this.#limit(links);
      if (this.#take(".")) operand = this.#selected(operand, at);
      else if (this.#take("[")) operand = this.#indexed(operand, at);
      else if (this.#isSymbol("{") && qualifiedNameOf(operand) !== undefined) {
        operand = this.#struct(qualifiedNameOf(operand) ?? "");
      } else return operand;
    }
  }

  #selected(operand: Expression, at: number): Expression {
    const isOptional = this.#take("?");
    const field = this.#name();
    if (isOptional) {
      const name = { kind: "literal", at, value: field } as const;
      return call(at, "_?._", [operand, name]);
    }
    if (!this.#isSymbol("(")) return { kind: "select", at, operand, field, isTest: false };
    return this.#called(field, operand);
  }

  #indexed(operand: Expression, at: number): Expression {
    const isOptional = this.#take("?");
    const index = this.#expression();
    this.#expect("]");
    return call(at, isOptional ? "_[?_]" : "_[_]", [operand, index]);
  }

  #called(name: string, target: Expression | undefined): Expression {
    const { at } = this.#token;
    this.#expect("(");
    const args = this.#list(")", () => this.#expression());
    const macro = this.#macros.find(name, args.length, target !== undefined);
    const expanded = macro?.({ at, target, args });
    return expanded ?? { kind: "call", at, name, target, args };
  }

  /** Items up to the closing symbol; a comma may stand before it except in calls. */
  #list<T>(closing: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.#take(closing)) {
      items.push(item());
      if (this.#take(closing)) return items;
      this.#expect(",");
      if (closing === ")" && this.#isSymbol(")")) throw this.#unexpected();
    }
    return items;
  }

  #primary(): Expression {
    const token = this.#token;
    switch (token.kind) {
      case "int":
      case "uint":
      case "float":
        this.#index += 1;
        return numberLiteral(token, "");
      case "string":
      case "bytes":
        this.#index += 1;
        return { kind: "literal", at: token.at, value: token.content ?? "" };
      case "identifier":
        return this.#identifier();
      case "symbol":
        return this.#symbolic(token);
      case "end":
        throw this.#unexpected();
    }
  }

  #symbolic({ at, text }: Token): Expression {
    if (text === "-" && this.#isNumber(1)) {
      this.#index += 2;
      return numberLiteral({ ...(this.#tokens[this.#index - 1] ?? this.#token), at }, "-");
    }
    if (this.#take("(")) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#take("[")) {
      const items = this.#list("]", () => {
        const isOptional = this.#take("?");
        return { value: this.#expression(), isOptional };
      });
      return { kind: "list", at, items };
    }
    if (this.#take("{")) {
      return { kind: "map", at, entries: this.#list("}", () => this.#mapEntry()) };
    }
    if (this.#take(".")) return this.#identifier(".");
    throw this.#unexpected();
  }

  #mapEntry(): MapEntry {
    const isOptional = this.#take("?");
    const key = this.#expression();
    const { at } = this.#token;
    this.#expect(":");
    return { at, key, value: this.#expression(), isOptional };
  }

  #struct(name: string): Expression {
    const { at } = this.#token;
    this.#expect("{");
    const fields = this.#list("}", (): StructField => {
      const isOptional = this.#take("?");
      const field = this.#name();
      const place = this.#token.at;
      this.#expect(":");
      return { at: place, name: field, value: this.#expression(), isOptional };
    });
    return { kind: "struct", at, name, fields };
  }

  #identifier(prefix = ""): Expression {
    const { at, text, kind } = this.#token;
    if (kind !== "identifier" || text === "in") throw this.#unexpected();
    this.#index += 1;
    if (text === "true" || text === "false") return { kind: "literal", at, value: text === "true" };
    if (text === "null") return { kind: "literal", at, value: null };
    if (reserved.has(text)) throw new SyntaxProblem(at, `reserved identifier: ${text}`);
    if (this.#isSymbol("(")) return this.#called(prefix + text, undefined);
    return { kind: "identifier", at, name: prefix + text };
  }

  #name(): string {
    const { kind, text } = this.#token;
    if (kind !== "identifier" || keywords.has(text)) {
      throw this.#unexpected("no viable alternative");
    }
    this.#index += 1;
    return text;
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    this.#limit(this.#depth);
    const found = read();
    this.#depth -= 1;
    return found;
  }

  #limit(depth: number): void {
    if (depth > depthMax) {
      throw new SyntaxProblem(0, `expression recursion limit exceeded: ${depthMax}`);
    }
  }

  get #token(): Token {
    const token = this.#tokens[this.#index] ?? this.#tokens.at(-1);
    if (token === undefined) throw new SyntaxProblem(0, "Syntax error: no tokens");
    return token;
  }

  #isSymbol(text: string): boolean {
    return this.#token.kind === "symbol" && this.#token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#isSymbol(text)) return false;
    this.#index += 1;
    return true;
  }

  #expect(text: string): void {
    if (this.#take(text)) return;
    const { at, text: found } = this.#token;
    throw new SyntaxProblem(at, `Syntax error: mismatched input '${found}' expecting '${text}'`);
  }

  #unexpected(what: "mismatched" | "extraneous" | "no viable alternative" = "mismatched"): Error {
    const { at, text } = this.#token;
    if (what === "extraneous") {
      return new SyntaxProblem(at, `Syntax error: mismatched input '${text}' expecting <EOF>`);
    }
    if (what === "no viable alternative") {
      return new SyntaxProblem(at, `Syntax error: no viable alternative at input '.${text}'`);
    }
    return new SyntaxProblem(
      at,
      `Syntax error: mismatched input '${text}' expecting ${startOfTerm}`,
    );
  }
}

const startOfTerm =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

function call(at: number, name: string, args: readonly Expression[]): Expression {
  return { kind: "call", at, name, target: undefined, args };
}

interface Chain {
  readonly terms: readonly Expression[];
  readonly places: readonly number[];
}

function balance(name: string, chain: Chain, from: number, to: number): Expression {
  if (from >= to) {
    const only = chain.terms[from];
    if (only === undefined) throw new SyntaxProblem(0, "Syntax error: an operand is missing");
    return only;
  }
  const middle = Math.floor((from + to - 1) / 2);
  const left = balance(name, chain, from, middle);
  const right = balance(name, chain, middle + 1, to);
  return call(chain.places[middle] ?? 0, name, [left, right]);
}
