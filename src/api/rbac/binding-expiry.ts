/** On a RoleBinding or ClusterRoleBinding: until when it grants its role, as RFC 3339. Without it: for ever. */
export const expiryAnnotation = "access.kogge.dev/expires-at";

interface Annotated {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> | null } | null;
}

/**
 * When a binding ends, in milliseconds since the epoch; Infinity: never. A time that cannot be read has passed: a
 * mistyped end must not grant for ever.
 */
export function expiresAtMs(binding: Annotated): number {
  const text = binding.metadata?.annotations?.[expiryAnnotation];
  if (text === undefined) return Infinity;
  return readExpiry(text) ?? -Infinity;
}

/** Undefined when the text is no time with a date, seconds and a zone. */
export function readExpiry(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
