import { propertyOf, type SchemaProps, valuesOfProps } from "#api/custom/schema-props.ts";

/**
 * The field that a rule's `fieldPath` names, as causes write it: `.spec['a.b']` is `spec.a.b`. Undefined where the
 * path is none or leads to nothing in the schema.
 */
export function ruleFieldPath(path: string, props: SchemaProps): string | undefined {
  let schema: SchemaProps | undefined = props;
  let found = "";
  for (const step of stepsOf(path)) {
    if (step === undefined || schema === undefined) return undefined;
    const isNamed: boolean = schema.properties !== undefined;
    if (!isNamed && schema.additionalProperties === undefined) return undefined;
    schema = isNamed ? propertyOf(schema, step) : (valuesOfProps(schema) ?? {});
    if (schema === undefined) return undefined;
    if (isNamed) found += found === "" ? step : `.${step}`;
    else found += `[${step}]`;
  }
  return found === "" ? undefined : found;
}

/** `.name` and `['name']`; undefined for what is neither. */
function* stepsOf(path: string): Generator<string | undefined> {
  const step = /\.([^.[\]]+)|\['((?:[^'\\]|\\[abfnrtv'\\])*)'\]/y;
  while (step.lastIndex < path.length) {
    const match = step.exec(path);
    if (match === null) return yield undefined;
    yield match[1] ?? unquoted(match[2] ?? "");
  }
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unquoted(text: string): string {
  return text.replace(/\\(.)/g, (_whole, letter: string) => escapes[letter] ?? letter);
}
