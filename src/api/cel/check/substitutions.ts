import {
  dynType,
  isDynamic,
  isSameType,
  listOf,
  mapOf,
  opaqueType,
  type Type,
  typeOfType,
} from "#api/cel/type.ts";

/** What the type parameters of an expression stand for, as far as the check has come. */
export class Substitutions {
  readonly #types = new Map<string, Type>();
  /** What was there before each change: a failed attempt is taken back. */
  readonly #trail: { readonly name: string; readonly before: Type | undefined }[] = [];

  /** Whether a value of `from` may stand where `to` is wanted; if so, remembers what parameters became. */
  assign(from: Type, to: Type): boolean {
    return this.#attempt(() => this.#assignable(from, to));
  }

  assignAll(from: readonly Type[], to: readonly Type[]): boolean {
    return this.#attempt(() => this.#allAssignable(from, to));
  }

  /** The type with its parameters replaced; `open` says what becomes of those that stand for nothing yet. */
  apply(type: Type, open: "keep" | "dyn" = "keep"): Type {
    if (type.kind === "parameter") {
      const found = this.#types.get(type.name);
      if (found !== undefined) return this.apply(found, open);
      return open === "dyn" ? dynType : type;
    }
    const { parameters } = type;
    if (parameters.length === 0) return type;
    const applied = parameters.map((parameter) => this.apply(parameter, open));
    if (applied.every((parameter, index) => parameter === parameters[index])) return type;
    return rebuilt(type, applied);
  }

  #attempt(work: () => boolean): boolean {
    const mark = this.#trail.length;
    if (work()) return true;
    for (const { name, before } of this.#trail.splice(mark).toReversed()) {
      if (before === undefined) this.#types.delete(name);
      else this.#types.set(name, before);
    }
    return false;
  }

  #set(name: string, type: Type): void {
    this.#trail.push({ name, before: this.#types.get(name) });
    this.#types.set(name, type);
  }

  #assignable(from: Type, to: Type): boolean {
    if (to.kind === "parameter") {
      const outcome = this.#substitute(from, to);
      if (outcome !== "unknown") return outcome === "valid";
    }
    if (from.kind === "parameter") return this.#substitute(to, from) === "valid";
    if (isDynamic(from) || isDynamic(to)) return true;
    if (from.kind === "null") return mayBeNull(to);
    if (to.kind === "null") return mayBeNull(from);
    if (from.kind === "type") return to.kind === "type";
    if (from.kind !== to.kind || from.name !== to.name) return false;
    return this.#allAssignable(from.parameters, to.parameters);
  }

  #allAssignable(from: readonly Type[], to: readonly Type[]): boolean {
    return (
      from.length === to.length &&
      from.every((type, index) => this.#assignable(type, to[index] ?? dynType))
    );
  }

  /** Whether `type` may be what the parameter stands for: "unknown" where the other way round is to be tried. */
  #substitute(type: Type, parameter: Type): "valid" | "invalid" | "unknown" {
    if (isSameType(type, parameter)) return "valid";
    const known = this.#types.get(parameter.name);
    if (known === undefined) {
      if (!this.#isFree(parameter, type)) return "unknown";
      this.#set(parameter.name, type);
      return "valid";
    }
    if (isSameType(type, known)) return "valid";
    if (!this.#assignable(type, known)) return "invalid";
    const general = mostGeneral(type, known);
    if (this.#isFree(parameter, general)) this.#set(parameter.name, general);
    return "valid";
  }

  /** The parameter does not occur in the type, which would make it contain itself. */
  #isFree(parameter: Type, within: Type): boolean {
    if (isSameType(parameter, within)) return false;
    if (within.kind === "parameter") {
      const known = this.#types.get(within.name);
      return known === undefined || this.#isFree(parameter, known);
    }
    return within.parameters.every((inner) => this.#isFree(parameter, inner));
  }
}

function rebuilt(type: Type, parameters: readonly Type[]): Type {
  const [first = dynType, second = dynType] = parameters;
  switch (type.kind) {
    case "list":
      return listOf(first, type.sizeMax);
    case "map":
      return mapOf(first, second, type.sizeMax);
    case "type":
      return typeOfType(first);
    default:
      return opaqueType(type.name, parameters);
  }
}

function mayBeNull(type: Type): boolean {
  if (type.nullable) return true;
  return ["duration", "null", "opaque", "struct", "timestamp"].includes(type.kind);
}

/** The less specific of two types that go together. */
export function mostGeneral(a: Type, b: Type): Type {
  return isAsGeneral(a, b) ? a : b;
}

function isAsGeneral(a: Type, b: Type): boolean {
  if (a.kind === "dyn" || a.kind === "parameter") return true;
  if (b.kind === "dyn" || b.kind === "parameter") return false;
  if (a.kind !== b.kind || a.name !== b.name) return false;
  if (a.kind === "type") return true;
  if (a.nullable !== b.nullable) return a.nullable === true;
  return (
    a.parameters.length === b.parameters.length &&
    a.parameters.every((parameter, index) => isAsGeneral(parameter, b.parameters[index] ?? dynType))
  );
}
