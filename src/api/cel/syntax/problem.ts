/** Something wrong with an expression, and where. */
export interface Problem {
  /** In characters from the start of the source. */
  readonly at: number;
  readonly message: string;
}

/** All problems as upstream shows them: each with its line and a mark under its place. */
export function formatProblems(source: string, problems: readonly Problem[]): string {
  const letters = Array.from(source);
  const sorted = problems.toSorted((a, b) => a.at - b.at);
  return sorted.map((problem) => formatProblem(letters, problem)).join("\n");
}

function formatProblem(letters: readonly string[], { at, message }: Problem): string {
  const start = letters.lastIndexOf("\n", at - 1) + 1;
  const from = at === 0 ? 0 : start;
  const line = letters.slice(0, from).filter((letter) => letter === "\n").length + 1;
  const end = letters.indexOf("\n", from);
  const text = letters.slice(from, end < 0 ? undefined : end);
  const column = at - from;
  const heading = `ERROR: <input>:${line}:${column + 1}: ${message}`;
  if (text.length > snippetMax) return heading;
  const dots = text.slice(0, column).map((letter) => (isWide(letter) ? "\uff0e" : "."));
  const mark = isWide(text[column] ?? " ") ? "\uff3e" : "^";
  return `${heading}\n | ${text.join("").replaceAll("\t", " ")}\n | ${dots.join("")}${mark}`;
}

const snippetMax = 16_384;

function isWide(letter: string): boolean {
  return (letter.codePointAt(0) ?? 0) > 0x7f;
}
