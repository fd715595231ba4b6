import { RE2JS } from "re2js";

/** A compiled pattern, which is looked for anywhere in a text. */
export interface Pattern {
  test(text: string): boolean;
  /** The parts of a text that match, from the first on. */
  find(text: string, limit: number): readonly string[];
}

/**
 * A pattern of a schema in the syntax of Go's RE2, compiled once. Throws an Error with Go's text where it is none.
 * RE2 takes time in proportion to the text, whatever the pattern; JavaScript's own expressions can be made to run
 * for ever by whoever writes the text.
 */
export function compilePattern(pattern: string): Pattern {
  let compiled = compiledByText.get(pattern);
  if (compiled === undefined) {
    compiled = patternOf(RE2JS.compile(pattern));
    if (compiledByText.size >= compiledMax) compiledByText.clear();
    compiledByText.set(pattern, compiled);
  }
  return compiled;
}

const compiledByText = new Map<string, Pattern>();
const compiledMax = 4_096;

function patternOf(compiled: RE2JS): Pattern {
  return {
    test: (text) => compiled.test(text),
    find: (text, limit) => {
      const found: string[] = [];
      const matcher = compiled.matcher(text);
      while (found.length < limit && matcher.find()) found.push(matcher.group() ?? "");
      return found;
    },
  };
}
