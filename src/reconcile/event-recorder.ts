import type { ObjectReference } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { events } from "#api/resources.ts";
import { hasReason, isNotFound } from "#api/status.ts";
import { rfc3339, type Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import {
  createEventCorrelator,
  type CorrelatedEvent,
  type EventDraft,
} from "#reconcile/event-correlator.ts";

/** Tells users what happened to an object, as `kubectl describe` shows it. */
export interface EventRecorder {
  /** Never waits and never throws: an event that cannot be written is logged and lost. */
  record(about: KubeObject, event: RecordedEvent): void;
}

export interface RecordedEvent {
  readonly type: "Normal" | "Warning";
  /** One word in CamelCase: upstream's. */
  readonly reason: string;
  readonly message: string;
  /** For a part of the object: `spec.containers{web}`. */
  readonly fieldPath?: string;
}

export interface EventRecorderParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Shown as "From": `deployment-controller`. */
  readonly component: string;
  /** The node, where the component is of one. */
  readonly host?: string;
}

/** Events waiting to be written; more are dropped. */
const waitingMax = 1000;

export function createEventRecorder(parts: EventRecorderParts): EventRecorder {
  const { clock, log, signal } = parts;
  const correlate = createEventCorrelator(clock);
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  return {
    record(about, event) {
      if (signal.aborted) return;
      if (waiting >= waitingMax) return log.warn("event dropped", { reason: event.reason });
      const draft = draftOf(about, event, parts);
      const outcome = correlate(draft);
      if (outcome === undefined) return;
      waiting++;
      last = last
        .then(() => write(parts, outcome))
        .catch((error: unknown) => {
          if (!signal.aborted) log.debug("event not written", { reason: event.reason, error });
        })
        .finally(() => waiting--);
    },
  };
}

function draftOf(about: KubeObject, event: RecordedEvent, parts: EventRecorderParts): EventDraft {
  const { component, host } = parts;
  return {
    involvedObject: referenceTo(about, event.fieldPath),
    type: event.type,
    reason: event.reason,
    message: event.message,
    source: { component, ...(host && { host }) },
    reportingComponent: component,
    reportingInstance: host ?? "",
  };
}

function referenceTo(about: KubeObject, fieldPath: string | undefined): ObjectReference {
  const { name, namespace, uid, resourceVersion } = about.metadata;
  return {
    kind: about.kind,
    apiVersion: about.apiVersion,
    ...(name && { name }),
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
    ...(fieldPath && { fieldPath }),
  };
}

async function write(
  { client, clock, signal }: EventRecorderParts,
  { event, remember }: CorrelatedEvent,
): Promise<void> {
  const { name = "", namespace = "default" } = event.metadata;
  if ((event.count ?? 1) > 1) {
    const value = {
      count: event.count,
      message: event.message,
      lastTimestamp: rfc3339(clock.now()),
    };
    try {
      const at = { name, namespace };
      remember(await client.patch(events, at, { kind: "strategic", value }, { signal }));
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error; // Events expire; then it is made anew.
    }
  }
  try {
    remember(await client.create(events, event, { signal }));
  } catch (error) {
    // A namespace being deleted takes no events.
    if (!hasReason(error, "Forbidden") && !isNotFound(error)) throw error;
  }
}
