import type { Column, JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { at, column, name, number, since, text, wide } from "#api/kinds/columns/cells.ts";
import { eventConversion } from "#api/kinds/conversions/events.ts";

/** Columns of `v1` Events. */
export const coreEventColumns: readonly Column[] = [
  column("Last Seen", "Time since the event was last seen", lastSeen),
  column("Type", "Normal or Warning", (event) => text(event, "type")),
  column("Reason", "Why the event came about, in a word", (event) => text(event, "reason")),
  column("Object", "What the event is about", (event) => {
    const kind = text(event, "involvedObject", "kind").toLowerCase();
    const target = text(event, "involvedObject", "name");
    return target === "" ? kind : `${kind}/${target}`;
  }),
  wide("Subobject", "The part of the object", (event) =>
    text(event, "involvedObject", "fieldPath"),
  ),
  wide("Source", "Who reported the event", source),
  column("Message", "What happened", (event) => text(event, "message").trim()),
  wide("First Seen", "Time since the event was first seen", firstSeen),
  wide("Count", "How often the event was seen", (event) => {
    const series = at(event, "series");
    return series === undefined ? number(event, "count") || 1 : number(series, "count");
  }),
  { ...name, priority: 1 },
];

/** The same columns of `events.k8s.io/v1` Events, read through the stored form. */
export const newEventColumns: readonly Column[] = coreEventColumns.map((one) => ({
  ...one,
  cell: (event, nowMs) => one.cell(eventConversion.toStored(event), nowMs),
}));

function firstSeen(event: JsonObject, nowMs: number): string {
  return since(timeOf(event["firstTimestamp"]) ?? event["eventTime"], nowMs);
}

function lastSeen(event: JsonObject, nowMs: number): string {
  const series = at(event, "series");
  if (series !== undefined) return since(at(series, "lastObservedTime"), nowMs);
  const last = timeOf(event["lastTimestamp"]);
  return last === undefined ? firstSeen(event, nowMs) : since(last, nowMs);
}

function timeOf(value: Json | undefined): Json | undefined {
  return value === null ? undefined : value;
}

function source(event: JsonObject): string {
  const component = text(event, "source", "component") || text(event, "reportingComponent");
  const host = text(event, "source", "host") || text(event, "reportingInstance");
  return host === "" ? component : `${component}, ${host}`;
}
