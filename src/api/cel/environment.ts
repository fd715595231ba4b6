import type { FunctionTable } from "#api/cel/function.ts";
import type { Macros } from "#api/cel/syntax/macros.ts";
import type { Type } from "#api/cel/type.ts";

/** What the names of an expression mean. */
export interface Environment {
  readonly functions: FunctionTable;
  readonly macros: Macros;
  /** What `net.IP`, `int` and the like name; with `Object` and its parts where those may be made. */
  readonly typeOf: (name: string) => Type | undefined;
  readonly variables: ReadonlyMap<string, Type>;
  /** Lists and maps that are written out may hold values of several types. Default: as arguments of `format` only. */
  readonly mixedLiterals?: boolean;
  /** Names are looked up in it first: `a.b`. Default none. */
  readonly container?: string;
}
