import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  opaqueType,
  optionalOf,
  parameterType,
  stringType,
  timestampType,
  type Type,
  typeOfType,
  uintType,
} from "#api/cel/type.ts";

/** What a function takes and gives; a target comes first among the arguments. */
export interface Signature {
  readonly args: readonly Type[];
  readonly result: Type;
  readonly isMember: boolean;
  /** The letters that stand for any type. */
  readonly parameters: readonly string[];
}

/**
 * Reads a signature: `string.(string, int) list(string)` takes a target, `(A, A) bool` does not. Single capital
 * letters stand for any type.
 */
export function readSignature(text: string): Signature {
  const reader = new SignatureReader(text);
  return reader.read();
}

class SignatureReader {
  readonly #words: readonly string[];
  readonly #parameters = new Set<string>();
  #index = 0;

  constructor(text: string) {
    this.#words = text.match(/[\w.]*\w|[().,]/g) ?? [];
  }

  read(): Signature {
    const isMember = this.#words[0] !== "(";
    const args: Type[] = [];
    if (isMember) {
      args.push(this.#type());
      this.#skip(".");
    }
    args.push(...this.#list());
    const result = this.#type();
    return { args, result, isMember, parameters: [...this.#parameters] };
  }

  #list(): Type[] {
    const types: Type[] = [];
    this.#skip("(");
    while (this.#words[this.#index] !== ")") {
      types.push(this.#type());
      if (this.#words[this.#index] === ",") this.#index += 1;
    }
    this.#skip(")");
    return types;
  }

  #type(): Type {
    const name = this.#words[this.#index] ?? "";
    this.#index += 1;
    const simple = simpleTypes[name];
    if (simple !== undefined) return simple;
    if (/^[A-Z]$/.test(name)) {
      this.#parameters.add(name);
      return parameterType(name);
    }
    if (this.#words[this.#index] !== "(") return opaqueType(name);
    const [first = dynType, second = dynType] = this.#list();
    switch (name) {
      case "list":
        return listOf(first);
      case "map":
        return mapOf(first, second);
      case "type":
        return typeOfType(first);
      default:
        return optionalOf(first);
    }
  }

  #skip(word: string): void {
    if (this.#words[this.#index] === word) this.#index += 1;
  }
}

const simpleTypes: Readonly<Record<string, Type>> = {
  bool: boolType,
  bytes: bytesType,
  double: doubleType,
  duration: durationType,
  dyn: dynType,
  int: intType,
  null: nullType,
  string: stringType,
  timestamp: timestampType,
  uint: uintType,
};
