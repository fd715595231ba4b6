import type { JsonObject, StoredAs } from "#api/kind.ts";

/** Between `events.k8s.io/v1` and the stored form, `v1`: the same fields under other names. */
export const eventConversion: NonNullable<StoredAs["convert"]> = {
  fromStored: (object) => renamed(object, "events.k8s.io/v1", newNames),
  toStored: (object) => renamed(object, "v1", coreNames),
};

const newNames: Readonly<Record<string, string>> = {
  involvedObject: "regarding",
  message: "note",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
  reportingComponent: "reportingController",
};

const coreNames: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(newNames).map(([core, name]) => [name, core]),
);

function renamed(
  object: JsonObject,
  apiVersion: string,
  names: Readonly<Record<string, string>>,
): JsonObject {
  const fields = Object.entries(object).map(([name, value]) => [names[name] ?? name, value]);
  return { ...(Object.fromEntries(fields) as JsonObject), apiVersion };
}
