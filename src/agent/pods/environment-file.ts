/**
 * The value of a variable in a file of `NAME='value'` lines, as upstream reads them: values stand in single quotes and
 * may span lines; comments begin with `#`; a space before the value leaves it empty. "" where it is not there. Throws
 * upstream's text for what is no such file.
 */
export function variableInFile(text: string, name: string): string {
  const lines = text.replaceAll("\r\n", "\n").replace(/\n$/, "").split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = (lines[at] ?? "").replace(/^[ \t]+/, "");
    if (line === "" || line.startsWith("#")) continue;
    const entry = nameOf(line, at + 1);
    if (/^[ \t]/.test(entry.rest)) {
      if (entry.name === name) return "";
      continue;
    }
    const value = valueFrom(lines, { at, rest: entry.rest });
    if (entry.name === name) return value.text;
    at = value.end;
  }
  return "";
}

function nameOf(line: string, number: number): { readonly name: string; readonly rest: string } {
  const equals = line.indexOf("=");
  if (equals < 0) throw wrong(number, "missing '='");
  const part = line.slice(0, equals);
  const name = part.replace(/[ \t]+$/, "");
  if (name === "") throw wrong(number, "empty variable name");
  if (name !== part) throw wrong(number, "whitespace before '=' is not allowed");
  return { name, rest: line.slice(equals + 1) };
}

/** The text in quotes, and the place of the line that it ends in. */
function valueFrom(
  lines: readonly string[],
  { at, rest }: { readonly at: number; readonly rest: string },
): { readonly text: string; readonly end: number } {
  if (!rest.startsWith("'")) throw wrong(at + 1, "value must be enclosed in single quotes");
  const parts: string[] = [];
  let current: string | undefined = rest.slice(1);
  for (let end = at; current !== undefined; end += 1, current = lines[end]) {
    const closing = current.indexOf("'");
    if (closing < 0) {
      parts.push(`${current}\n`);
      continue;
    }
    const after = current.slice(closing + 1).replace(/^[ \t]+/, "");
    if (after !== "" && !after.startsWith("#")) {
      throw wrong(end + 1, "unexpected content after closing quote");
    }
    return { text: parts.join("") + current.slice(0, closing), end };
  }
  throw new Error(
    `invalid environment variable format starting at line ${at + 1}: unclosed single quote`,
  );
}

function wrong(line: number, what: string): Error {
  return new Error(`invalid environment variable format at line ${line}: ${what}`);
}
