import type { Clock } from "#base/clock.ts";
import type { AdmissionChain, AdmissionFunction } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { chosenPlugins, type AdmissionChoice } from "#apiserver/admission/admission-order.ts";
import { builtinPlugins } from "#apiserver/admission/builtin-admission.ts";
import { certificateRequester } from "#apiserver/admission/certificate-requester.ts";
import { deviceAdminAccess } from "#apiserver/admission/device-admin-access.ts";
import { PluginMetrics } from "#apiserver/admission/plugin-metrics.ts";
import { createPolicyAdmission } from "#apiserver/admission/policies/policy-admission.ts";
import {
  createWebhookAdmission,
  type WebhookParts,
} from "#apiserver/admission/webhooks/webhook-admission.ts";
import type { AccessControl } from "#apiserver/rbac/access-control.ts";

export interface AdmissionParts extends WebhookParts {
  readonly access: Pick<AccessControl, "nodeAdmission" | "grantAdmission">;
  readonly clock: Clock;
  readonly choice?: AdmissionChoice | undefined;
}

export interface Admission extends AdmissionChain, Disposable {
  /**
   * From then on webhooks and policies have their say. Until then the server writes what its cluster needs in order
   * to start, which somebody's mistake must not prevent.
   */
  start(): void;
  /** Whether somebody outside may be asked, who may write meanwhile. */
  asksOthers(): boolean;
}

/** What every write passes: the plugins that act, and the checks that nobody turns off. */
export function createAdmission(parts: AdmissionParts): Admission {
  const { nodeAdmission, grantAdmission } = parts.access;
  const webhooks = createWebhookAdmission(parts);
  const policies = createPolicyAdmission(parts);
  let isStarted = false;
  const onceStarted =
    (step: AdmissionFunction): AdmissionFunction =>
    (call, attempt) =>
      isStarted ? step(call, attempt) : undefined;
  const present: readonly AdmissionPlugin[] = [
    ...builtinPlugins(parts.choice?.configuration ?? {}),
    { name: "NodeRestriction", mutate: nodeAdmission },
    { name: "MutatingAdmissionPolicy", mutate: onceStarted(policies.mutating) },
    { name: "MutatingAdmissionWebhook", mutate: webhooks.mutating },
    { name: "ValidatingAdmissionPolicy", validate: onceStarted(policies.validating) },
    { name: "ValidatingAdmissionWebhook", validate: webhooks.validating },
  ];
  const metrics = new PluginMetrics(parts.metrics, parts.clock);
  const chosen = chosenPlugins(present, parts.choice).map((plugin) => metrics.measured(plugin));
  return {
    mutating: [certificateRequester, ...chosen.flatMap(({ mutate }) => mutate ?? [])],
    validating: [
      grantAdmission,
      deviceAdminAccess,
      ...chosen.flatMap(({ validate }) => validate ?? []),
    ],
    start: () => {
      isStarted = true;
      webhooks.start();
    },
    asksOthers: webhooks.asks,
    [Symbol.dispose]: () => {
      webhooks[Symbol.dispose]();
      policies[Symbol.dispose]();
    },
  };
}
