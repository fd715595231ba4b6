import type { Authorizer, Decision, Rules } from "#apiserver/authorizer.ts";

/** Allows what one of several allows, asked in order until one of them denies; the reasons of all who did not are told together. */
export function createUnionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize(attributes) {
      const reasons: string[] = [];
      for (const [at, authorizer] of authorizers.entries()) {
        const decision = authorizer.authorize(attributes);
        if (decision instanceof Promise) {
          return askRest({ attributes, reasons, rest: authorizers.slice(at + 1) }, decision);
        }
        if (decision.allowed || decision.denied) return decision;
        if (decision.reason !== "") reasons.push(decision.reason);
      }
      return { allowed: false, reason: reasons.join("\n") };
    },
    rules: (user, namespace) => allRules(authorizers, user, namespace),
  };
}

interface Asking {
  readonly attributes: Parameters<Authorizer["authorize"]>[0];
  readonly reasons: string[];
  readonly rest: readonly Authorizer[];
}

/** Only an authorizer that asks somebody outside needs the wait. */
async function askRest(asking: Asking, first: Promise<Decision>): Promise<Decision> {
  let decision = await first;
  for (const authorizer of [...asking.rest, undefined]) {
    if (decision.allowed || decision.denied) return decision;
    if (decision.reason !== "") asking.reasons.push(decision.reason);
    if (authorizer !== undefined) decision = await authorizer.authorize(asking.attributes);
  }
  return { allowed: false, reason: asking.reasons.join("\n") };
}

async function allRules(
  authorizers: readonly Authorizer[],
  ...[user, namespace]: Parameters<NonNullable<Authorizer["rules"]>>
): Promise<Rules> {
  const found = await Promise.all(
    authorizers.map(async (authorizer) => authorizer.rules?.(user, namespace)),
  );
  const given = found.filter((rules) => rules !== undefined);
  const problems = given.flatMap(({ incomplete }) => incomplete ?? []);
  return {
    resourceRules: given.flatMap(({ resourceRules }) => resourceRules),
    nonResourceRules: given.flatMap(({ nonResourceRules }) => nonResourceRules),
    ...(problems.length > 0 && { incomplete: problems.join(", ") }),
  };
}
