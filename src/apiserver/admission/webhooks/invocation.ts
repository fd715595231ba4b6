import type { JsonObject } from "#api/kind.ts";
import { internalError, StatusError } from "#api/status.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { annotate } from "#apiserver/audit-notes.ts";
import { CallFailure, Denial } from "#apiserver/admission/webhooks/failures.ts";
import type { Hook } from "#apiserver/admission/webhooks/hook.ts";
import type { Dispatching } from "#apiserver/admission/webhooks/webhook-admission.ts";
import { convertedTo } from "#apiserver/objects/convert.ts";

/** A webhook that is to be asked, and the form in which it sees the request. */
export interface Invocation {
  readonly hook: Hook;
  readonly form: Form;
  /** Its place among those that are asked: names its annotations. */
  readonly index: number;
}

/** An object of the request in the form that a webhook wants: a subresource's own objects have only one. */
export async function inForm(
  { call, kind }: Target,
  form: Form,
  object: JsonObject | undefined,
): Promise<JsonObject | undefined> {
  if (object === undefined) return undefined;
  const { kind: word, version, group } = kind;
  const isParent =
    word === call.kind.kind && version === call.kind.version && group === call.kind.group;
  if (form.of === call.kind) return isParent ? object : { ...object, ...named(form) };
  return isParent ? convertedTo(form.of, call.kind, object) : { ...object, ...named(form) };
}

function named({ kind: { group, version, kind } }: Form): JsonObject {
  return { kind, apiVersion: group === "" ? version : `${group}/${version}` };
}

/** Calls, measures, and turns what goes wrong into the refusal of the request, or into nothing. */
export async function observed<T>(
  { target, metrics }: Dispatching,
  { hook, index }: Invocation,
  act: () => Promise<T>,
): Promise<T | undefined> {
  const { server, request } = target.call;
  const startMs = server.clock.now();
  const { operation } = target;
  const end = (code: number) => ({
    hook,
    operation,
    seconds: (server.clock.now() - startMs) / 1_000,
    code,
  });
  try {
    const result = await act();
    metrics.observe(end(200));
    return result;
  } catch (error) {
    if (error instanceof Denial) {
      metrics.observe({ ...end(error.refusal.status.code), rejected: "no_error" });
      throw error.refusal;
    }
    if (!(error instanceof CallFailure)) {
      metrics.observe({ ...end(0), rejected: "apiserver_internal_error" });
      throw error instanceof StatusError ? error : internalError(messageOf(error));
    }
    if (!hook.ignoresFailures) {
      metrics.observe({ ...end(error.code), rejected: "calling_webhook_error" });
      server.log.warn("webhook failed, the request is refused", { webhook: hook.name, error });
      throw internalError(error.message);
    }
    metrics.observe({ ...end(error.code), failedOpen: true });
    server.log.warn("webhook failed, the request goes on", { webhook: hook.name, error });
    const round = `round_0_index_${index}`;
    annotate(request, `failed-open.${annotationOf[hook.phase]}/${round}`, hook.name);
    return undefined;
  }
}

const annotationOf = {
  admit: "mutation.webhook.admission.k8s.io",
  validating: "validating.webhook.admission.k8s.io",
} as const;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
