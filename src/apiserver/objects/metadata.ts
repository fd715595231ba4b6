import type { JsonObject, Kind } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import { randomSuffix, randomUid } from "#base/random.ts";
import { badRequest, StatusError } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import {
  ensureObject,
  numberAt,
  objectAt,
  sameJson,
  setOrRemove,
  stringAt,
} from "#apiserver/objects/json.ts";

/** Gives a new object its identity: uid, creation time, first generation; takes away what only the server sets. */
export function identify(call: Call, object: JsonObject): void {
  const { clock, random } = call.server;
  const metadata = ensureObject(object, "metadata");
  for (const field of serverFields) delete metadata[field];
  metadata.uid = randomUid(random);
  metadata.creationTimestamp = rfc3339(clock.now());
  if (hasGeneration(call.kind)) metadata.generation = 1;
}

/** What was stored already cannot be created; upstream's store says so, after admission. */
export function assertUnversioned(object: JsonObject): void {
  if (stringAt(objectAt(object, "metadata"), "resourceVersion") === "") return;
  throw new StatusError({
    code: 500,
    reason: "",
    message: "resourceVersion should not be set on objects to be created",
  });
}

const serverFields = ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];

/** A name from `generateName`: the prefix, cut so that the whole stays within 63 letters, and five random ones. */
export function generateName(call: Call, prefix: string): string {
  return `${prefix.slice(0, 63 - 5)}${randomSuffix(call.server.random)}`;
}

/** The namespace of the path goes into the object; another one in the object is refused, or dropped where there is none. */
export function settleNamespace(call: Call, object: JsonObject): void {
  const metadata = ensureObject(object, "metadata");
  const { namespace } = call.info;
  if (!call.kind.namespaced) {
    delete metadata.namespace;
    return;
  }
  const given = stringAt(metadata, "namespace");
  if (given === "") metadata.namespace = namespace;
  else if (given !== namespace) {
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request`,
    );
  }
}

/** The name of the path goes into the object; another one in the object is refused. */
export function settleName(call: Call, object: JsonObject): void {
  const metadata = ensureObject(object, "metadata");
  const given = stringAt(metadata, "name");
  if (given === "") metadata.name = call.info.name;
  else if (given !== call.info.name) {
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${call.info.name})`,
    );
  }
}

/** In place: what an update cannot change is as it was. */
export function carryOver(object: JsonObject, old: JsonObject): void {
  const metadata = ensureObject(object, "metadata");
  const before = objectAt(old, "metadata");
  for (const field of carriedFields) setOrRemove(metadata, field, before[field]);
  if (stringAt(metadata, "uid") === "") setOrRemove(metadata, "uid", before.uid);
  delete metadata.selfLink;
  if (stringAt(metadata, "resourceVersion") === "") {
    setOrRemove(metadata, "resourceVersion", before.resourceVersion);
  }
}

const carriedFields = [
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "generateName",
];

/** In place: a change of what is wanted makes a new generation. */
export function countGeneration(kind: Kind, object: JsonObject, old: JsonObject): void {
  if (!hasGeneration(kind) || sameJson(wanted(kind, object), wanted(kind, old))) return;
  const metadata = ensureObject(object, "metadata");
  metadata.generation = (numberAt(objectAt(old, "metadata"), "generation") ?? 0) + 1;
}

function hasGeneration(kind: Kind): boolean {
  return kind.strategy.hasGeneration ?? hasStatus(kind);
}

export function hasStatus(kind: Kind): boolean {
  return kind.subresources.some((subresource) => subresource.name === "status");
}

function wanted(kind: Kind, object: JsonObject): JsonObject {
  const {
    metadata: _metadata,
    status: _status,
    kind: _kind,
    apiVersion: _version,
    ...rest
  } = object;
  const counted = kind.strategy.generationMetadata ?? [];
  const metadata = objectAt(object, "metadata");
  return {
    ...rest,
    metadata: Object.fromEntries(counted.map((name) => [name, metadata[name] ?? {}])),
  };
}
