import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { evaluate, type Program } from "#api/cel/compile-expression.ts";
import type { Value } from "#api/cel/value.ts";
import type { SubjectAccessReview } from "#api/generated/types.ts";
import type { Attributes, Authorizer, Decision } from "#apiserver/authorizer.ts";
import type { ReviewService } from "#apiserver/node/authentication/review-service.ts";

export interface WebhookAuthorizerParts {
  readonly name: string;
  readonly service: ReviewService;
  readonly version: "v1" | "v1beta1";
  readonly authorizedMs: number;
  readonly unauthorizedMs: number;
  /** What a service that does not answer means. */
  readonly failurePolicy: "NoOpinion" | "Deny";
  /** All must hold for the service to be asked. */
  readonly conditions: readonly Program[];
  readonly clock: Clock;
  readonly log: Log;
}

const cachedMax = 4096;
const noOpinion: Decision = { allowed: false, reason: "" };

/** Asks a service whether somebody may do something; it may allow, deny, or leave it to the others. */
export function createWebhookAuthorizer(parts: WebhookAuthorizerParts): Authorizer {
  const { clock, conditions, log, name } = parts;
  const known = new Map<string, { readonly untilMs: number; readonly decision: Decision }>();
  return {
    authorize(attributes) {
      const spec = specOf(attributes);
      const matched = matches(conditions, spec);
      if (matched === "failed") return failed(parts, "a match condition could not be worked out");
      if (matched === "no") return noOpinion;
      const key = JSON.stringify(spec);
      const cached = known.get(key);
      if (cached !== undefined && cached.untilMs > clock.now()) return cached.decision;
      return ask(parts, spec).then(
        (decision) => {
          const holdsMs = decision.allowed ? parts.authorizedMs : parts.unauthorizedMs;
          if (known.size >= cachedMax) known.clear();
          known.set(key, { untilMs: clock.now() + holdsMs, decision });
          return decision;
        },
        (error: unknown) => {
          log.error("access could not be reviewed", { authorizer: name, error });
          return failed(parts, "the authorization webhook does not answer");
        },
      );
    },
    rules: () => ({
      resourceRules: [],
      nonResourceRules: [],
      incomplete: "webhook authorizer does not support user rule resolution",
    }),
  };
}

function failed({ failurePolicy }: WebhookAuthorizerParts, reason: string): Decision {
  return failurePolicy === "Deny" ? { allowed: false, denied: true, reason } : noOpinion;
}

function matches(
  conditions: readonly Program[],
  spec: Readonly<Record<string, unknown>>,
): "yes" | "no" | "failed" {
  let outcome: "yes" | "failed" = "yes";
  for (const program of conditions) {
    const result = evaluate(program, { request: spec as Readonly<Record<string, Value>> as Value });
    if (!result.ok) outcome = "failed";
    // One that does not hold settles it, whatever the others could not tell.
    else if (result.value !== true) return "no";
  }
  return outcome;
}

async function ask(
  { service, version }: WebhookAuthorizerParts,
  spec: Readonly<Record<string, unknown>>,
): Promise<Decision> {
  const answer = (await service.ask({
    apiVersion: `authorization.k8s.io/${version}`,
    kind: "SubjectAccessReview",
    metadata: {},
    spec,
  })) as Partial<SubjectAccessReview>;
  const { allowed = false, denied = false, reason = "" } = answer.status ?? {};
  if (allowed && denied) throw new Error(`${service.url} both allows and denies`);
  return { allowed, reason, ...(denied && { denied }) };
}

function specOf(attributes: Attributes): Readonly<Record<string, unknown>> {
  const { user, verb, isResource, path } = attributes;
  const who = {
    user: user.name,
    groups: user.groups,
    ...(user.uid !== undefined && { uid: user.uid }),
    ...(user.extra !== undefined && { extra: user.extra }),
  };
  if (!isResource) return { nonResourceAttributes: { path, verb }, ...who };
  const { namespace, group, version, resource, subresource, name } = attributes;
  const given = { namespace, verb, group, version, resource, subresource, name };
  const set = Object.entries(given).filter(([, value]) => value !== "");
  return { resourceAttributes: Object.fromEntries(set), ...who };
}
