/** Throws when the program itself is wrong. Such an error is never caught, only reported. */
export function invariant(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new InvariantError(rule);
}

export class InvariantError extends Error {
  override readonly name = "InvariantError";
}
