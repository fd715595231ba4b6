import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import { isTrue, type RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * How many seats a request takes: one, but for lists and for watches that begin with a list, which take one for each
 * hundred objects. Writes take no more for their watchers, who get the event within the write.
 */
export function estimateSeats(
  state: Pick<ServerState, "kinds" | "cache">,
  info: RequestInfo,
  query: URLSearchParams,
): number {
  if (info.verb !== "list" && info.verb !== "watch") return 1;
  if (!info.isResource || info.name !== "") return 1;
  if (info.verb === "watch" && !beginsWithList(query)) return 1;
  const kind = state.kinds.find(info.group, info.version, info.resource);
  if (kind === undefined) return 1;
  const stored = state.cache.resource(resourcePrefix(kind.stored)).size;
  const limit = Number(query.get("limit") ?? 0) || stored;
  const isSelected = query.has("labelSelector") || query.has("fieldSelector");
  const looked = isSelected || info.verb === "watch" ? stored : Math.min(stored, limit);
  return Math.min(seatsMax, Math.max(1, Math.ceil(looked / objectsPerSeat)));
}

function beginsWithList(query: URLSearchParams): boolean {
  if (isTrue(query.get("sendInitialEvents"))) return true;
  const version = query.get("resourceVersion") ?? "";
  return version === "" || version === "0";
}

const objectsPerSeat = 100;
const seatsMax = 10;
