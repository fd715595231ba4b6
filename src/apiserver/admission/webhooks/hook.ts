import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "#api/generated/types.ts";
import type { WebhookClient } from "#apiserver/webhook-client.ts";
import {
  compileConditions,
  type CompiledConditions,
} from "#apiserver/admission/expressions/match-conditions.ts";
import { matchingOf, type Matching } from "#apiserver/admission/matching/matching.ts";

/** One webhook of a stored configuration, ready to be matched and called. */
export interface Hook {
  readonly phase: HookPhase;
  readonly name: string;
  readonly configuration: string;
  /** Tells webhooks of one name in one configuration apart. */
  readonly uid: string;
  readonly matching: Matching;
  readonly conditions: CompiledConditions;
  readonly ignoresFailures: boolean;
  readonly timeoutSeconds: number;
  readonly sideEffects: string | undefined;
  /** Wants to be called again when another one changed the object after it. */
  readonly again: boolean;
  readonly reviewVersions: readonly string[];
  readonly client: WebhookClient;
}

/** As metrics call them. */
export type HookPhase = "admit" | "validating";

export function mutatingHooks(configuration: MutatingWebhookConfiguration): readonly Hook[] {
  return hooksOf(configuration, "admit");
}

export function validatingHooks(configuration: ValidatingWebhookConfiguration): readonly Hook[] {
  return hooksOf(configuration, "validating");
}

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

function hooksOf({ metadata, webhooks }: Configuration, phase: HookPhase): readonly Hook[] {
  const seen = new Map<string, number>();
  return (webhooks ?? []).map((webhook) => {
    const index = seen.get(webhook.name) ?? 0;
    seen.set(webhook.name, index + 1);
    const configuration = metadata.name ?? "";
    return hookOf(webhook, {
      phase,
      configuration,
      uid: `${configuration}/${webhook.name}/${index}`,
    });
  });
}

type Identity = Pick<Hook, "phase" | "configuration" | "uid">;

function hookOf(webhook: MutatingWebhook | ValidatingWebhook, identity: Identity): Hook {
  return {
    ...identity,
    name: webhook.name,
    matching: matchingOf({
      ...(webhook.namespaceSelector && { namespaceSelector: webhook.namespaceSelector }),
      ...(webhook.objectSelector && { objectSelector: webhook.objectSelector }),
      ...(webhook.matchPolicy && { matchPolicy: webhook.matchPolicy }),
      rules: webhook.rules ?? [],
    }),
    conditions: compileConditions(webhook.matchConditions ?? [], { hasParams: false }),
    ignoresFailures: webhook.failurePolicy === "Ignore",
    timeoutSeconds: webhook.timeoutSeconds ?? defaultTimeoutSeconds,
    sideEffects: webhook.sideEffects,
    again: "reinvocationPolicy" in webhook && webhook.reinvocationPolicy === "IfNeeded",
    reviewVersions: webhook.admissionReviewVersions,
    client: webhook.clientConfig,
  };
}

const defaultTimeoutSeconds = 10;
