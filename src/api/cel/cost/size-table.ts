import type { Checked } from "#api/cel/check/checked.ts";
import { exactly, type Range, union, unknownSize } from "#api/cel/cost/range.ts";
import { lettersOf } from "#api/cel/equality.ts";
import type { Expression, FoldExpression } from "#api/cel/syntax/expression.ts";
import { isOptional, itemTypeOf, type Type, valueTypeOf, withoutOptional } from "#api/cel/type.ts";

/** How large what is in a list or map can be. */
export interface EntrySize {
  readonly isList: boolean;
  readonly key: Range;
  readonly value: Range;
}

interface LocalVariable {
  readonly declared: Type | undefined;
  readonly size: Range | undefined;
  readonly entry: EntrySize | undefined;
}

/** What is known of the sizes of an expression's parts: from schemas, literals and earlier estimates. */
export class SizeTable {
  readonly #checked: Checked;
  readonly #variables: ReadonlyMap<string, Type>;
  readonly #sizes = new Map<Expression, Range>();
  readonly #entries = new Map<Expression, EntrySize>();
  /** The schema's type of what is reached by names, indexes and loops from a variable. */
  readonly #declared = new Map<Expression, Type>();
  readonly #locals = new Map<string, LocalVariable[]>();

  /** Upstream takes names without a path for the root of the schema. */
  readonly #root: Type | undefined;

  constructor(checked: Checked, variables: ReadonlyMap<string, Type>) {
    this.#checked = checked;
    this.#variables = variables;
    this.#root = variables.values().next().value;
  }

  of(expression: Expression): Range {
    return this.find(expression) ?? unknownSize;
  }

  find(expression: Expression): Range | undefined {
    const known = this.#sizes.get(expression) ?? literalSize(expression);
    if (known !== undefined) return known;
    const declared = this.#declared.get(expression);
    if (declared !== undefined) {
      const size = { min: 0, max: declared.sizeMax ?? 0 };
      this.#sizes.set(expression, size);
      return size;
    }
    if (isScalar(this.#checked.typeOf(expression))) return exactly(1);
    return this.#localOf(expression)?.size;
  }

  set(expression: Expression, size: Range | undefined): void {
    if (size !== undefined) this.#sizes.set(expression, size);
  }

  entryOf(expression: Expression): EntrySize | undefined {
    return this.#entries.get(expression) ?? this.#localOf(expression)?.entry;
  }

  setEntry(expression: Expression, entry: EntrySize | undefined): void {
    if (entry !== undefined) this.#entries.set(expression, entry);
  }

  unionOfEntries(a: Expression, b: Expression): EntrySize | undefined {
    const first = this.entryOf(a);
    const second = this.entryOf(b);
    if (first === undefined || second === undefined) return undefined;
    const { isList } = first;
    return { isList, key: union(first.key, second.key), value: union(first.value, second.value) };
  }

  copy(to: Expression, from: Expression): void {
    this.set(to, this.find(from));
    this.setEntry(to, this.entryOf(from));
  }

  /** The size of what is in a list, by its schema where there is one. */
  itemOf(list: Expression, _item: Type): Range {
    const declared = this.#declared.get(list);
    if (declared === undefined || declared.parameters.length === 0) return unknownSize;
    return { min: 0, max: entryTypeOf(declared).sizeMax ?? 0 };
  }

  noteIdentifier(expression: Expression): void {
    const reference = this.#checked.referenceOf(expression);
    if (reference?.kind === "variable") this.#note(expression, this.#variables.get(reference.name));
    if (reference?.kind === "type") this.#note(expression, this.#root);
    if (reference?.kind === "local") this.#note(expression, this.#localOf(expression)?.declared);
  }

  noteField(expression: Expression, operand: Expression, field: string): void {
    const declared = this.#declared.get(operand);
    const target = declared && withoutOptional(declared);
    this.#note(expression, target?.fieldOf?.(field));
  }

  noteItem(expression: Expression, operand: Expression): void {
    const declared = this.#declared.get(operand);
    if (declared !== undefined && declared.parameters.length > 0) {
      this.#note(expression, entryTypeOf(declared));
    }
  }

  pushBinding(name: string, value: Expression): void {
    this.#push(name, {
      declared: this.#declared.get(value),
      size: this.find(value),
      entry: this.entryOf(value),
    });
  }

  pushIteration({ range, variable, secondVariable }: FoldExpression): void {
    const entry = this.entryOf(range);
    const declared = this.#declared.get(range);
    const isList = entry?.isList ?? this.#checked.typeOf(range).kind === "list";
    const keyType = declared === undefined ? this.#root : keyTypeOf(declared, isList);
    const key = { declared: keyType, size: entry?.key, entry: undefined };
    const value = {
      declared: declared === undefined ? this.#root : entryTypeOf(declared),
      size: entry?.value,
      entry: undefined,
    };
    if (secondVariable !== undefined) this.#push(secondVariable, value);
    this.#push(variable, secondVariable === undefined && isList ? value : key);
  }

  pop(name: string): void {
    this.#locals.get(name)?.pop();
  }

  #push(name: string, variable: LocalVariable): void {
    const stack = this.#locals.get(name) ?? [];
    stack.push(variable);
    this.#locals.set(name, stack);
  }

  #note(expression: Expression, declared: Type | undefined): void {
    if (declared !== undefined) this.#declared.set(expression, declared);
  }

  #localOf(expression: Expression): LocalVariable | undefined {
    return expression.kind === "identifier" ? this.#locals.get(expression.name)?.at(-1) : undefined;
  }
}

function entryTypeOf(type: Type): Type {
  return type.kind === "map" ? valueTypeOf(type) : itemTypeOf(type);
}

function keyTypeOf(declared: Type | undefined, isList: boolean): Type | undefined {
  return isList || declared?.kind !== "map" ? undefined : itemTypeOf(declared);
}

function literalSize(expression: Expression): Range | undefined {
  if (expression.kind === "list") return exactly(expression.items.length);
  if (expression.kind === "map") return exactly(expression.entries.length);
  if (expression.kind !== "literal") return undefined;
  const { value } = expression;
  if (typeof value === "string") return exactly(lettersOf(value));
  return exactly(value instanceof Uint8Array ? value.length : 1);
}

const scalars: ReadonlySet<string> = new Set([
  "bool",
  "double",
  "duration",
  "int",
  "timestamp",
  "uint",
]);

function isScalar(type: Type): boolean {
  return scalars.has(type.kind) || (isOptional(type) && isScalar(itemTypeOf(type)));
}
