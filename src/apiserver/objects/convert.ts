import type { JsonObject, Kind } from "#api/kind.ts";
import { cloneJson } from "#apiserver/objects/json.ts";
import { stamp } from "#apiserver/objects/view.ts";

/** A copy of an object of one kind in the form of another kind that shares its storage. */
export function convertedTo(to: Kind, from: Kind, object: JsonObject): JsonObject {
  const copy = cloneJson(object);
  if (to === from) return copy;
  const stored = from.stored.convert?.toStored(copy) ?? copy;
  const shown = to.stored.convert?.fromStored(stored) ?? stored;
  stamp(shown, to);
  return shown;
}
