/**
 * A pattern of a schema in the syntax of Go's RE2 as a JavaScript expression. Throws a SyntaxError where it is not
 * one. Found anywhere in the text, as upstream.
 */
export function compilePattern(pattern: string): RegExp {
  let compiled = compiledByText.get(pattern);
  if (compiled === undefined) {
    compiled = translated(pattern);
    if (compiledByText.size >= compiledMax) compiledByText.clear();
    compiledByText.set(pattern, compiled);
  }
  return compiled;
}

const compiledByText = new Map<string, RegExp>();
const compiledMax = 4_096;

function translated(pattern: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const body = flags === null ? pattern : pattern.slice(flags[0].length);
  const source = body
    .replace(/\(\?P</g, "(?<")
    .replace(/(?<!\\)((?:\\\\)*)\\A/g, "$1^")
    .replace(/(?<!\\)((?:\\\\)*)\\z/g, "$1$")
    .replace(/\[:(\w+):\]/g, (whole, name: string) => posixClasses[name] ?? whole);
  const own = flags?.[1] ?? "";
  try {
    return new RegExp(source, `u${own}`);
  } catch {
    // RE2 takes more escapes (`\-`, `\/`, `\_`) than the strict form does.
    return new RegExp(source, own);
  }
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: String.raw`\x00-\x7F`,
  blank: String.raw`\t `,
  cntrl: String.raw`\x00-\x1F\x7F`,
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: String.raw`!-\/:-@\[-\x60{-~`,
  space: String.raw`\t\n\v\f\r `,
  upper: "A-Z",
  word: String.raw`\w`,
  xdigit: "0-9A-Fa-f",
};
