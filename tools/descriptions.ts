import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * What `@kubernetes/client-node`'s declarations say of a definition or of one of its fields. The classes are named
 * after the version and kind (`V1Pod`), with the group before them where that is ambiguous (`CoreV1Event`).
 */
export function createDescriptions(
  modelsDir: string,
): (definition: string, field?: string) => string | undefined {
  const classes = new Map<string, ClassTexts>();
  return (definition, field) => {
    let texts = classes.get(definition);
    if (texts === undefined) {
      texts = readClass(modelsDir, definition);
      classes.set(definition, texts);
    }
    return field === undefined ? texts.text : texts.fields.get(field);
  };
}

interface ClassTexts {
  readonly text: string | undefined;
  readonly fields: ReadonlyMap<string, string>;
}

const nothing: ClassTexts = { text: undefined, fields: new Map() };

function readClass(modelsDir: string, definition: string): ClassTexts {
  const file = classNames(definition).find((name) => existsSync(join(modelsDir, `${name}.d.ts`)));
  if (file === undefined) return nothing;
  const declaration = readFileSync(join(modelsDir, `${file}.d.ts`), "utf8");
  const jsonNames = fieldNames(readFileSync(join(modelsDir, `${file}.js`), "utf8"));
  const start = declaration.indexOf("export declare class");
  const fields = new Map<string, string>();
  for (const [, text, name] of declaration.slice(start).matchAll(fieldPattern)) {
    if (text === undefined || name === undefined) continue;
    fields.set(jsonNames.get(name) ?? name, plain(text));
  }
  return { text: lastComment(declaration.slice(0, start)), fields };
}

const fieldPattern = /\/\*\*\n\s*\* (.*)\n\s*\*\/\n\s*'([^']+)'\??:/g;

function classNames(definition: string): readonly string[] {
  const [kind = "", version = "", group = ""] = definition.split(".").toReversed();
  const versioned = capitalized(version) + kind;
  return [capitalized(group) + versioned, versioned];
}

/** JavaScript's name of a field to the one JSON has: `_continue` to `continue`. */
function fieldNames(code: string): ReadonlyMap<string, string> {
  const pairs = code.matchAll(/"name": "([^"]+)",\s+"baseName": "([^"]+)"/g);
  return new Map([...pairs].map(([, name = "", base = ""]) => [name, base]));
}

/** The class's own comment; the one that heads every file is not about the class. */
function lastComment(text: string): string | undefined {
  const comments = [...text.matchAll(/\/\*\*\n\* (.*)\n\*\//g)];
  const last = comments.at(-1)?.[1];
  return last === undefined ? undefined : plain(last);
}

function plain(text: string): string {
  return text.replaceAll(/\\(['"\\])/g, "$1").trim();
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
