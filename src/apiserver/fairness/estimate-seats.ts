import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import { isTrue, type RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * How many seats a request takes: one, but for lists and for watches that begin with a list, which take one for each
 * hundred kilobytes of objects. Writes take no more for their watchers, who get the event within the write.
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
  const { size, bytes } = state.cache.resource(resourcePrefix(kind.stored));
  const limit = Number(query.get("limit") ?? 0);
  const part = limit > 0 && limit < size ? limit / size : 1;
  const atOnceBytes = Math.min(bytes * part, atOnceBytesMax);
  return Math.max(1, Math.ceil(atOnceBytes / bytesPerSeat));
}

function beginsWithList(query: URLSearchParams): boolean {
  if (isTrue(query.get("sendInitialEvents"))) return true;
  const version = query.get("resourceVersion") ?? "";
  return version === "" || version === "0";
}

const bytesPerSeat = 100_000;
/** Lists go out piece by piece. */
const atOnceBytesMax = 1_000_000;
