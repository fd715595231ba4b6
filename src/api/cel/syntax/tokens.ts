import { parseBytes, parseText } from "#api/cel/syntax/literals.ts";
import type { Problem } from "#api/cel/syntax/problem.ts";

export interface Token {
  readonly kind: "bytes" | "end" | "float" | "identifier" | "int" | "string" | "symbol" | "uint";
  /** The symbol or name, or the number's digits. */
  readonly text: string;
  /** Where it begins, in characters. */
  readonly at: number;
  /** The content of a string or bytes literal. */
  readonly content?: string | Uint8Array;
}

/** The source is no expression. */
export class SyntaxProblem extends Error {
  readonly problem: Problem;

  constructor(at: number, message: string) {
    super(message);
    this.problem = { at, message };
  }
}

const patterns = {
  space: /(?:[\t\n\f\r ]+|\/\/[^\n]*)+/y,
  string: /(?:[rR][bB]?|[bB][rR]?)?(?:"""|'''|"|')/y,
  float: /(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/y,
  number: /(?:0x[0-9a-fA-F]+|\d+)[uU]?/y,
  name: /[A-Za-z_]\w*/y,
  symbol: /==|!=|<=|>=|&&|\|\||[[\]{}()<>.,\-!?:+*/%]/y,
} as const;

/** Takes a source apart. `depthMax` of what it says is the parser's affair. */
export function tokensOf(source: string): Token[] {
  return new Lexer(source).read();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #index = 0;
  /** Characters before `#countedTo`. */
  #letters = 0;
  #countedTo = 0;

  constructor(source: string) {
    this.#source = source;
  }

  read(): Token[] {
    for (;;) {
      this.#match("space");
      const at = this.#at();
      if (this.#index >= this.#source.length) {
        this.#tokens.push({ kind: "end", text: "<EOF>", at });
        return this.#tokens;
      }
      this.#tokens.push(this.#next(at));
    }
  }

  #next(at: number): Token {
    const quote = this.#match("string");
    if (quote !== undefined) return this.#literal(quote, at);
    const float = this.#match("float");
    if (float !== undefined) return { kind: "float", text: float, at };
    const number = this.#match("number");
    if (number !== undefined) {
      return { kind: /u$/i.test(number) ? "uint" : "int", text: number, at };
    }
    const name = this.#match("name");
    if (name !== undefined) return { kind: "identifier", text: name, at };
    const symbol = this.#match("symbol");
    if (symbol !== undefined) return { kind: "symbol", text: symbol, at };
    const letter = String.fromCodePoint(this.#source.codePointAt(this.#index) ?? 0);
    throw new SyntaxProblem(at, `Syntax error: token recognition error at: '${letter}'`);
  }

  #literal(opening: string, at: number): Token {
    const prefix = opening.replace(/["']+$/, "").toLowerCase();
    const quote = opening.slice(prefix.length);
    const raw = prefix.includes("r");
    const end = this.#endOf(quote, raw);
    if (end < 0) {
      const rest = this.#source.slice(this.#index - opening.length).split("\n")[0] ?? "";
      throw new SyntaxProblem(at, `Syntax error: token recognition error at: '${rest}'`);
    }
    const body = this.#source.slice(this.#index, end).replace(/\r\n?/g, "\n");
    this.#index = end + quote.length;
    const isBytes = prefix.includes("b");
    const content = isBytes ? parseBytes(body, raw) : parseText(body, raw);
    if (content === undefined) {
      throw new SyntaxProblem(
        at,
        `invalid ${isBytes ? "bytes" : "string"} literal: unable to unescape string`,
      );
    }
    return { kind: isBytes ? "bytes" : "string", text: opening + body + quote, at, content };
  }

  #endOf(quote: string, raw: boolean): number {
    for (let index = this.#index; index < this.#source.length; index += 1) {
      const letter = this.#source[index];
      if (letter === "\\" && !raw) index += 1;
      else if (this.#source.startsWith(quote, index)) return index;
      else if (quote.length === 1 && (letter === "\n" || letter === "\r")) return -1;
    }
    return -1;
  }

  #match(name: keyof typeof patterns): string | undefined {
    const pattern = patterns[name];
    pattern.lastIndex = this.#index;
    const found = pattern.exec(this.#source)?.[0];
    if (found !== undefined) this.#index += found.length;
    return found;
  }

  #at(): number {
    for (const _letter of this.#source.slice(this.#countedTo, this.#index)) this.#letters += 1;
    this.#countedTo = this.#index;
    return this.#letters;
  }
}
