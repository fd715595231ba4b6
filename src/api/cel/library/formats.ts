import { type CallCost, fixedCost, matchCostOf } from "#api/cel/cost/call-cost.ts";
import { letterCost, patternLetterCost, scale } from "#api/cel/cost/range.ts";
import { costSizeOf } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { formatType } from "#api/cel/library/opaque.ts";
import { parseUrl } from "#api/cel/library/urls.ts";
import { CelObject, noValue, OptionalValue, type Value } from "#api/cel/value.ts";
import { hasFormat } from "#api/custom/string-formats.ts";
import {
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
} from "#api/names.ts";
import { labelValueProblems, qualifiedNameProblems } from "#api/validation/formats.ts";

class FormatValue extends CelObject {
  readonly type = formatType;
  readonly #problems: (text: string) => readonly string[];
  /** How long a pattern for it would be: what a check costs. */
  readonly patternSize: number;

  constructor(patternSize: number, problems: (text: string) => readonly string[]) {
    super();
    this.#problems = problems;
    this.patternSize = patternSize;
  }

  validate(text: string): readonly string[] {
    return this.#problems(text);
  }

  equals(other: CelObject): boolean {
    return other === this;
  }
}

const named: Readonly<Record<string, FormatValue>> = {
  dns1123Label: new FormatValue(30, dns1123LabelProblems),
  dns1123Subdomain: new FormatValue(60, dns1123SubdomainProblems),
  dns1035Label: new FormatValue(30, dns1035LabelProblems),
  qualifiedName: new FormatValue(60, qualifiedNameProblems),
  dns1123LabelPrefix: new FormatValue(30, prefixed(dns1123LabelProblems)),
  dns1123SubdomainPrefix: new FormatValue(60, prefixed(dns1123SubdomainProblems)),
  dns1035LabelPrefix: new FormatValue(30, prefixed(dns1035LabelProblems)),
  labelValue: new FormatValue(40, labelValueProblems),
  uri: new FormatValue(30, (text) => {
    const parts = parseUrl(text);
    return typeof parts === "string" ? [`parse ${JSON.stringify(text)}: ${parts}`] : [];
  }),
  uuid: known(71, "uuid", "does not match the UUID format"),
  byte: known(84, "byte", "invalid base64"),
  date: known(139, "date", "invalid date"),
  datetime: known(139, "datetime", "invalid datetime"),
};

const patternSizeMax = 128;

const validation: CallCost = {
  estimate: (call) => ({
    cost: scale(scale(call.size(1), letterCost), patternSizeMax * patternLetterCost),
  }),
  actual: ([format = null, text = null]) => {
    const size = format instanceof FormatValue ? format.patternSize : patternSizeMax;
    return matchCostOf(costSizeOf(text), size);
  },
};

/** Formats of names: `!format.dns1123Label().validate(self).hasValue()`. */
export const formats: readonly FunctionRow[] = [
  ...Object.entries(named).map(([name, format]) => {
    return row(`format.${name}`, "() kubernetes.NamedFormat", () => format);
  }),
  row("format.named", "(string) optional(kubernetes.NamedFormat)", findFormat, {
    cost: fixedCost(1),
  }),
  row("validate", "kubernetes.NamedFormat.(string) optional(list(string))", validate, {
    cost: validation,
  }),
];

function findFormat(name: string): Value {
  const found = Object.hasOwn(named, name) ? named[name] : undefined;
  return found === undefined ? noValue : new OptionalValue(found);
}

function validate(format: FormatValue, text: string): Value {
  const problems = format.validate(text);
  return problems.length === 0 ? noValue : new OptionalValue(problems);
}

/** Something will follow: a dash at the end is no fault. */
function prefixed(problems: (text: string) => readonly string[]) {
  return (text: string): readonly string[] =>
    problems(text.endsWith("-") ? `${text.slice(0, -1)}a` : text);
}

function known(patternSize: number, format: string, problem: string): FormatValue {
  return new FormatValue(patternSize, (text) => (hasFormat(text, format) ? [] : [problem]));
}
