import type { Type } from "#api/cel/type.ts";

/** The variables that macros made, from the innermost outwards. */
export class Scope {
  readonly #outer: Scope | undefined;
  readonly #types = new Map<string, Type>();

  constructor(outer: Scope | undefined) {
    this.#outer = outer;
  }

  declare(name: string, type: Type): void {
    this.#types.set(name, type);
  }

  find(name: string): Type | undefined {
    return this.#types.get(name) ?? this.#outer?.find(name);
  }
}
