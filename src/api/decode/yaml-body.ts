import {
  Composer,
  Lexer,
  LineCounter,
  Parser,
  isMap,
  isScalar,
  isSeq,
  type CST,
  type Document,
  type Node,
  type Tags,
  type YAMLMap,
} from "yaml";
import type { Json } from "#api/meta.ts";
import { JsonSyntaxError } from "#api/decode/json-scan.ts";
import type { DecodedBody } from "#api/decode/decode-body.ts";

/** Reads the first document as upstream does: YAML 1.1 scalars, except that dates and times stay text. */
export function decodeYaml(text: string, findDuplicates: boolean): DecodedBody {
  try {
    return decodeDocument(text, findDuplicates);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw tooDeep(); // The parser recurses and ran out of stack.
  }
}

function decodeDocument(text: string, findDuplicates: boolean): DecodedBody {
  const lines = new LineCounter();
  const document = firstDocument(text, lines);
  const problem = document?.errors[0];
  if (document === undefined) return { value: null, findings: [] };
  if (problem !== undefined) {
    if (problem.message.startsWith("Maximum call stack")) throw tooDeep();
    throw syntaxError(lines, problem.pos[0], problem.message);
  }
  assertDepth(document.contents, 0);
  const value = toJson(document);
  const duplicates = findDuplicates ? duplicateKeys(document.contents, lines) : [];
  if (duplicates.length === 0) return { value, findings: [] };
  const message = ["yaml: unmarshal errors:", ...duplicates].join("\n  ");
  return { value, findings: [{ message, place: -1 }] };
}

/** Each use of an alias counts: a small text cannot grow without bound. */
const aliasesMax = 100;
const depthMax = 1000;
const duplicatesMax = 100;

/** The text behind the first document, or behind the first token that is wrong, is not read. */
function firstDocument(text: string, lines: LineCounter): Document | undefined {
  const composer = new Composer({
    version: "1.1",
    merge: true,
    uniqueKeys: false,
    logLevel: "silent",
    // A pretty error quotes its line: a hundred thousand errors on one long line would take seconds.
    prettyErrors: false,
    customTags: withoutTimes,
  });
  const [document] = composer.compose(refuseErrors(tokensOf(text, lines), lines));
  return document;
}

/** As the parser goes over a text by itself, but with an end: a few microseconds a word must not become seconds. */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let words = 0;
  for (const word of new Lexer().lex(text)) {
    words += 1;
    if (words > wordsMax) throw new JsonSyntaxError(`yaml: exceeded max of ${wordsMax} tokens`);
    yield* parser.next(word);
  }
  yield* parser.end();
}

/** Twice as many as a definition of 1 MB written in the usual style has; a text of many lines counts once. */
const wordsMax = 250_000;

function* refuseErrors(tokens: Iterable<CST.Token>, lines: LineCounter): Generator<CST.Token> {
  for (const token of tokens) {
    if (token.type === "error") throw syntaxError(lines, token.offset, token.message);
    yield token;
  }
}

function syntaxError(lines: LineCounter, position: number, message: string): JsonSyntaxError {
  return new JsonSyntaxError(`yaml: line ${lines.linePos(position).line}: ${reasonOf(message)}`);
}

/** The scalar types that Go's reader has too; the others stay text. */
function withoutTimes(tags: Tags): Tags {
  const strange = ["timestamp", "binary", "omap", "pairs", "set"];
  return tags.filter((tag) => {
    if (typeof tag === "string") return !strange.includes(tag);
    if (strange.some((name) => tag.tag === `tag:yaml.org,2002:${name}`)) return false;
    return !("format" in tag && tag.format === "TIME");
  });
}

function toJson(document: Document): Json {
  try {
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    return (value ?? null) as Json;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new JsonSyntaxError(`yaml: ${reasonOf(error.message)}`);
  }
}

function reasonOf(message: string): string {
  const [first = message] = message.split("\n");
  const reason = first.replace(/ at line \d+, column \d+:$/, "");
  return reason.charAt(0).toLowerCase() + reason.slice(1);
}

function assertDepth(node: Node | null, depth: number): void {
  if (depth > depthMax) throw tooDeep();
  for (const child of childrenOf(node)) assertDepth(child, depth + 1);
}

function tooDeep(): JsonSyntaxError {
  return new JsonSyntaxError(`yaml: exceeded max depth of ${depthMax}`);
}

function duplicateKeys(node: Node | null, lines: LineCounter): string[] {
  const own = isMap(node) ? duplicatesOfMap(node, lines) : [];
  const nested = childrenOf(node).flatMap((child) => duplicateKeys(child, lines));
  return [...own, ...nested].slice(0, duplicatesMax);
}

function duplicatesOfMap(map: YAMLMap, lines: LineCounter): string[] {
  const seen = new Set<unknown>();
  const duplicates: string[] = [];
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value)) {
      const line = lines.linePos(key.range?.[0] ?? 0).line;
      duplicates.push(`line ${line}: key ${JSON.stringify(key.value)} already set in map`);
    }
    seen.add(key.value);
  }
  return duplicates;
}

function childrenOf(node: Node | null): Node[] {
  if (isMap(node)) return node.items.map((pair) => pair.value as Node);
  return isSeq(node) ? (node.items as Node[]) : [];
}
