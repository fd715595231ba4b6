import type { JsonObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import type { Call } from "#apiserver/call.ts";
import type { ApiResponse, ObjectEvent } from "#apiserver/request.ts";
import type { WatchEvents, WatchItem } from "#apiserver/verbs/watch-stream.ts";
import { notAcceptable, type Form } from "#apiserver/content/accept.ts";
import { utf8 } from "#apiserver/content/bytes.ts";
import { objectInForm, tableRow } from "#apiserver/content/shape.ts";

/** A watch as a stream of JSON lines, or of objects for callers in the same process. */
export function watchResponse(call: Call, events: WatchEvents, form: Form): ApiResponse {
  const headers = call.warnings.headers();
  if (call.request.answer === "objects") {
    return { kind: "events", headers, events: objectEvents(call, events) };
  }
  if (form.media === "protobuf") throw notAcceptable();
  const frames =
    form.as === "object" ? plainFrames(call, events) : shapedFrames(call, events, form);
  return {
    kind: "stream",
    status: 200,
    headers: [["content-type", "application/json"], ...headers],
    frames,
  };
}

async function* plainFrames(call: Call, events: WatchEvents): AsyncGenerator<Uint8Array> {
  for await (const item of events) {
    if (item.type === "BOOKMARK") yield line({ type: item.type, object: bookmarkOf(call, item) });
    else if (item.type === "ERROR") yield line({ type: item.type, object: item.status });
    else yield call.server.frames.frame(item.type, item.object);
  }
}

async function* shapedFrames(
  call: Call,
  events: WatchEvents,
  form: Form,
): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const { type, object } of objectEvents(call, events)) {
    if (type === "ERROR") yield line({ type, object });
    else {
      const shaped =
        form.as === "Table"
          ? tableRow(call, object as JsonObject, !first)
          : objectInForm(call, object as JsonObject, form);
      yield line({ type, object: shaped });
    }
    first = false;
  }
}

async function* objectEvents(call: Call, events: WatchEvents): AsyncGenerator<ObjectEvent> {
  for await (const item of events) {
    if (item.type === "BOOKMARK") yield { type: item.type, object: bookmarkOf(call, item) };
    else if (item.type === "ERROR")
      yield { type: item.type, object: { ...item.status } as unknown as JsonObject };
    else yield { type: item.type, object: item.object.object };
  }
}

/** An object of the watched kind that says nothing but how far the watch has come. */
function bookmarkOf(call: Call, item: Extract<WatchItem, { type: "BOOKMARK" }>): JsonObject {
  return {
    kind: call.kind.kind,
    apiVersion: apiVersionOf(call.kind),
    metadata: {
      resourceVersion: String(item.revision),
      ...(item.initialEventsEnd && { annotations: { "k8s.io/initial-events-end": "true" } }),
    },
  };
}

function line(event: unknown): Uint8Array {
  return utf8(`${JSON.stringify(event)}\n`);
}
