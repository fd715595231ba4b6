import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, jsonEqual } from "#api/patch/json-object.ts";

/** The values a JSONPath of a custom resource's definition finds in an object. */
export type JsonPath = (object: Json) => readonly Json[];

/**
 * Reads the JSONPath of a printer column, a scale path or a selectable field: fields (`.a`, `['a']`), positions
 * (`[0]`, `[-1]`), `[*]`, slices and filters (`[?(@.type=="Ready")]`). Throws an Error that says what is wrong.
 */
export function parseJsonPath(text: string): JsonPath {
  const steps = parseSteps(text);
  return (object) => steps.reduce<readonly Json[]>((found, step) => found.flatMap(step), [object]);
}

/** The fields of a path that has nothing but fields; undefined for any other. */
export function simplePathOf(text: string): readonly string[] | undefined {
  if (!/^(?:\.[\w-]+|\['[^']+'\])+$/.test(text)) return undefined;
  return Array.from(
    text.matchAll(/\.([\w-]+)|\['([^']+)'\]/g),
    (match) => match[1] ?? match[2] ?? "",
  );
}

type Step = (value: Json) => Json[];

const token =
  /\.(?=\.)|\.\*|\.(?:\\.|[^.[\]\\\s])+|\[\s*\*\s*\]|\[\s*-?\d+\s*\]|\[\s*-?\d*\s*:\s*-?\d*\s*\]|\[\s*'(?:[^'\\]|\\.)*'\s*\]|\[\s*"(?:[^"\\]|\\.)*"\s*\]|\[\?\((?:'[^']*'|"[^"]*"|[^'")])*\)\]/y;

const stepsMax = 64;

function parseSteps(text: string): readonly Step[] {
  const path = text.replace(/^\$/, "");
  if (path === "") throw new Error("is empty");
  const steps: Step[] = [];
  let at = 0;
  while (at < path.length) {
    token.lastIndex = at;
    const word = token.exec(path)?.[0];
    if (word === undefined) throw new Error(`unrecognized character at "${path.slice(at)}"`);
    if (steps.length === stepsMax) throw new Error(`has more than ${stepsMax} steps`);
    steps.push(stepOf(word));
    at += word.length;
  }
  return steps;
}

function stepOf(word: string): Step {
  if (word === ".") return descend;
  if (word === ".*") return children;
  if (word.startsWith(".")) return fieldStep(word.slice(1).replace(/\\(.)/g, "$1"));
  if (word.startsWith("[?(")) return filterStep(word.slice(3, -2).trim());
  const inner = word.slice(1, -1).trim();
  if (inner === "*") return children;
  if (/^['"]/.test(inner)) return fieldStep(inner.slice(1, -1).replace(/\\(.)/g, "$1"));
  return inner.includes(":") ? sliceStep(inner) : indexStep(Number(inner));
}

function fieldStep(field: string): Step {
  return (value) => {
    const found = isObject(value) ? fieldOf(value, field) : undefined;
    return found === undefined ? [] : [found];
  };
}

function indexStep(index: number): Step {
  return (value) => {
    const found = Array.isArray(value) ? value.at(index) : undefined;
    return found === undefined ? [] : [found];
  };
}

function sliceStep(text: string): Step {
  const [from = "", to = ""] = text.split(":").map((part) => part.trim());
  const start = from === "" ? 0 : Number(from);
  const end = to === "" ? undefined : Number(to);
  return (value) => (Array.isArray(value) ? value.slice(start, end) : []);
}

function children(value: Json): Json[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function descend(value: Json): Json[] {
  return [value, ...children(value).flatMap(descend)];
}

function filterStep(text: string): Step {
  const match = /^(@[^=!<>]*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+))?$/.exec(text);
  if (match === null) throw new Error(`unrecognized filter "${text}"`);
  const [, left = "", operator = "", right = ""] = match;
  const path = left === "@" ? (value: Json) => [value] : parseJsonPath(left.slice(1));
  if (operator === "") return (value) => children(value).filter((one) => path(one).length > 0);
  const wanted = literalOf(right.trim());
  return (value) =>
    children(value).filter((one) => {
      const [found] = path(one);
      return found !== undefined && holds(found, operator, wanted);
    });
}

function literalOf(text: string): Json {
  if (/^'.*'$/.test(text) || /^".*"$/.test(text)) return text.slice(1, -1);
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  if (text === "" || Number.isNaN(number)) throw new Error(`unrecognized value "${text}"`);
  return number;
}

function holds(found: Json, operator: string, wanted: Json): boolean {
  if (operator === "==") return jsonEqual(found, wanted);
  if (operator === "!=") return !jsonEqual(found, wanted);
  if (typeof found !== typeof wanted || found === null || wanted === null) return false;
  switch (operator) {
    case "<":
      return found < wanted;
    case "<=":
      return found <= wanted;
    case ">":
      return found > wanted;
    default:
      return found >= wanted;
  }
}
