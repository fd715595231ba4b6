import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "#api/generated/types.ts";
import type { Log } from "#base/log.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { AdmissionFunction } from "#apiserver/admission/admission.ts";
import { isExempt } from "#apiserver/admission/matching/exempt.ts";
import { targetOf, type Target } from "#apiserver/admission/matching/target.ts";
import { HookIndex } from "#apiserver/admission/webhooks/hook-index.ts";
import { mutatingHooks, validatingHooks, type Hook } from "#apiserver/admission/webhooks/hook.ts";
import { mutate } from "#apiserver/admission/webhooks/mutate.ts";
import { validate } from "#apiserver/admission/webhooks/validate.ts";
import {
  createWebhookMetrics,
  type WebhookMetrics,
} from "#apiserver/admission/webhooks/webhook-metrics.ts";
import type { StoreCache } from "#apiserver/cache/store-cache.ts";

export interface WebhookAdmission extends Disposable {
  readonly mutating: AdmissionFunction;
  readonly validating: AdmissionFunction;
  /** Whether there are any that could be asked. */
  readonly asks: () => boolean;
  /** Until then nothing is asked: what a cluster needs to start must not wait for webhooks that run in it. */
  start(): void;
}

export interface WebhookParts {
  readonly cache: StoreCache;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
}

/** Asks the webhooks of stored configurations. Without any, a write passes without a promise being made. */
export function createWebhookAdmission({ cache, log, metrics }: WebhookParts): WebhookAdmission {
  const observed = createWebhookMetrics(metrics);
  let indexes: { readonly mutating: HookIndex; readonly validating: HookIndex } | undefined;
  const start = (): void => {
    const resource = (name: string) => ({ cache, log, resource: `${name}webhookconfigurations` });
    indexes = {
      mutating: new HookIndex({
        ...resource("mutating"),
        read: (object) => mutatingHooks(object as unknown as MutatingWebhookConfiguration),
      }),
      validating: new HookIndex({
        ...resource("validating"),
        read: (object) => validatingHooks(object as unknown as ValidatingWebhookConfiguration),
      }),
    };
  };
  return {
    start,
    asks: () => {
      const { mutating, validating } = indexes ?? {};
      return (mutating?.hooks.length ?? 0) + (validating?.hooks.length ?? 0) > 0;
    },
    mutating: asking(() => indexes?.mutating, observed, mutate),
    validating: asking(() => indexes?.validating, observed, validate),
    [Symbol.dispose]: () => {
      indexes?.mutating[Symbol.dispose]();
      indexes?.validating[Symbol.dispose]();
    },
  };
}

type Dispatch = (dispatching: Dispatching) => Promise<void>;

/** A write and the webhooks that may have a say in it. */
export interface Dispatching {
  readonly hooks: readonly Hook[];
  readonly target: Target;
  readonly metrics: WebhookMetrics;
}

function asking(
  index: () => HookIndex | undefined,
  metrics: WebhookMetrics,
  dispatch: Dispatch,
): AdmissionFunction {
  return (call, attempt) => {
    const hooks = index()?.hooks;
    if (hooks === undefined || hooks.length === 0) return undefined;
    const target = targetOf(call, attempt);
    return isExempt(target) ? undefined : dispatch({ hooks, target, metrics });
  };
}
