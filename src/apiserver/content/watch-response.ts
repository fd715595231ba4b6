import type { JsonObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { internalError } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import type { ApiResponse, FrameSource, ObjectEvent } from "#apiserver/request.ts";
import type { BookmarkItem, WatchItem } from "#apiserver/verbs/watch-items.ts";
import type { WatchEvents } from "#apiserver/verbs/watch-stream.ts";
import type { Form } from "#apiserver/content/accept.ts";
import { EventIterator } from "#apiserver/content/event-iterator.ts";
import { FrameReader, type FrameEncoder } from "#apiserver/content/frame-reader.ts";
import { protobufFrames, watchProtobufType } from "#apiserver/content/protobuf-frames.ts";
import { utf8 } from "#apiserver/content/bytes.ts";
import { objectInForm, tableRow } from "#apiserver/content/shape.ts";

/** A watch as a stream of frames, or of objects for callers in the same process. */
export function watchResponse(call: Call, events: WatchEvents, form: Form): ApiResponse {
  const headers = call.warnings.headers();
  if (call.request.answer === "objects") {
    return { kind: "events", headers, events: objectEvents(call, events) };
  }
  const type = form.media === "protobuf" ? watchProtobufType : "application/json";
  return {
    kind: "stream",
    status: 200,
    headers: [["content-type", type], ...headers],
    frames: frameSource(call, events, encoderOf(call, form)),
  };
}

function frameSource(call: Call, events: WatchEvents, encoder: FrameEncoder): FrameSource {
  return {
    start: (sink) => {
      events.start(new FrameReader(encoder, sink, call.server.metrics.watches.of(call.kind)));
      return { resume: () => events.resume(), stop: () => events.stop() };
    },
  };
}

function encoderOf(call: Call, form: Form): FrameEncoder {
  if (form.media === "protobuf")
    return protobufFrames(
      (item) => shapedEvent(call, item, form),
      `${form.as} ${form.metaVersion ?? ""}`,
    );
  return form.as === "object" ? plainFrames(call) : shapedFrames(call, form);
}

/** The stored bytes between the words that make them an event. */
function plainFrames(call: Call): FrameEncoder {
  return {
    name: "json",
    pieces: (item) => {
      if (item.type === "BOOKMARK" || item.type === "ERROR") return [line(otherEvent(call, item))];
      return [frameStart[item.type], item.object.bytes, frameEnd];
    },
  };
}

/** The first row of a table brings the headings, so its frames are not everybody's. */
function shapedFrames(call: Call, form: Form): FrameEncoder {
  let first = true;
  return {
    name: form.as === "Table" ? undefined : `json metadata ${form.metaVersion ?? ""}`,
    pieces: (item) => {
      const event = shapedOrError(call, item, { form, noHeaders: !first });
      first = false;
      return [line(event)];
    },
  };
}

interface Shape {
  readonly form: Form;
  readonly noHeaders: boolean;
}

/** An object that cannot be shown so ends nobody's write: its watchers learn that, as upstream's do. */
function shapedOrError(call: Call, item: WatchItem, { form, noHeaders }: Shape): ObjectEvent {
  try {
    return shapedEvent(call, item, form, noHeaders);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const { status } = internalError(`unable to encode watch object: ${why}`);
    return { type: "ERROR", object: { ...status } as unknown as JsonObject };
  }
}

function shapedEvent(call: Call, item: WatchItem, form: Form, noHeaders = false): ObjectEvent {
  const event = objectEvent(call, item);
  if (item.type === "ERROR" || form.as === "object") return event;
  const object = event.object as JsonObject;
  if (form.as === "Table")
    return { type: item.type, object: tableRow(call, object, { form, noHeaders }) };
  return { type: item.type, object: objectInForm(call, object, form) };
}

function objectEvents(call: Call, events: WatchEvents): AsyncIterable<ObjectEvent> {
  return new EventIterator(events, (item) => objectEvent(call, item));
}

function objectEvent(call: Call, item: WatchItem): ObjectEvent {
  if (item.type === "BOOKMARK" || item.type === "ERROR") return otherEvent(call, item);
  return { type: item.type, object: item.object.object };
}

function otherEvent(
  call: Call,
  item: Exclude<WatchItem, { type: "ADDED" | "MODIFIED" | "DELETED" }>,
): ObjectEvent {
  if (item.type === "BOOKMARK") return { type: item.type, object: bookmarkOf(call, item) };
  return { type: item.type, object: { ...item.status } as unknown as JsonObject };
}

/** An object of the watched kind that says nothing but how far the watch has come. */
function bookmarkOf(call: Call, item: BookmarkItem): JsonObject {
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

const frameStart = {
  ADDED: utf8('{"type":"ADDED","object":'),
  MODIFIED: utf8('{"type":"MODIFIED","object":'),
  DELETED: utf8('{"type":"DELETED","object":'),
};
const frameEnd = utf8("}\n");
