import type { StatusCause } from "#api/generated/types.ts";
import { badRequest, invalid, StatusError } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";

/** How fresh or how old an answer a list or watch asks for. */
export type VersionWish =
  | { readonly kind: "newest" }
  /** Whatever the cache has. */
  | { readonly kind: "any" }
  | { readonly kind: "notOlderThan"; readonly revision: number }
  | { readonly kind: "exactly"; readonly revision: number };

export function listVersionWish(query: URLSearchParams, limit: number): VersionWish {
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  assertMatch(version, match, query);
  if (version === "") return { kind: "newest" };
  const revision = parseRevision(version);
  if (match === "Exact") return { kind: "exactly", revision };
  if (revision === 0) return { kind: "any" };
  // Before there was `resourceVersionMatch` the first chunk named the version of all chunks.
  const ofChunks = limit > 0 && match === "";
  return { kind: ofChunks ? "exactly" : "notOlderThan", revision };
}

function assertMatch(version: string, match: string, query: URLSearchParams): void {
  const causes: StatusCause[] = [];
  if (match !== "") {
    if (version === "")
      causes.push(
        forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"),
      );
    if (query.get("continue"))
      causes.push(forbidden("resourceVersionMatch is forbidden when continue is provided"));
    if (match !== "Exact" && match !== "NotOlderThan")
      causes.push(unsupported(match, ["Exact", "NotOlderThan", ""]));
    if (match === "Exact" && version === "0")
      causes.push(forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (query.get("sendInitialEvents") !== null)
    causes.push(forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"));
  assertNone(causes);
}

/** What a watch may say of the version and the events it begins with. */
export function assertWatchMatch(query: URLSearchParams): void {
  const match = query.get("resourceVersionMatch") ?? "";
  const sendInitial = query.get("sendInitialEvents") !== null;
  const causes: StatusCause[] = [];
  if (sendInitial && match !== "NotOlderThan")
    causes.push(
      forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    );
  if (match !== "") {
    if (!sendInitial)
      causes.push(
        forbidden(
          "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
      );
    if (match !== "NotOlderThan") causes.push(unsupported(match, ["NotOlderThan"]));
    if (query.get("continue"))
      causes.push(forbidden("resourceVersionMatch is forbidden when continue is provided"));
  }
  assertNone(causes);
}

function assertNone(causes: readonly StatusCause[]): void {
  if (causes.length > 0) throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", causes);
}

function forbidden(detail: string, field = "resourceVersionMatch"): StatusCause {
  return { reason: "FieldValueForbidden", message: `Forbidden: ${detail}`, field };
}

function unsupported(match: string, supported: readonly string[]): StatusCause {
  const list = supported.map((one) => JSON.stringify(one)).join(", ");
  const message = `Unsupported value: ${JSON.stringify(match)}: supported values: ${list}`;
  return { reason: "FieldValueNotSupported", message, field: "resourceVersionMatch" };
}

export function parseRevision(version: string): number {
  const revision = /^\d{1,16}$/.test(version) ? Number(version) : Number.NaN;
  if (!Number.isSafeInteger(revision)) {
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(version)}: strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`,
    );
  }
  return revision;
}

/** Waits for the cache to come as far as `revision`; refuses with upstream's 504 when it does not in time. */
export async function awaitRevision(call: Call, revision: number): Promise<void> {
  const { cache, clock } = call.server;
  if (cache.revision >= revision) return;
  const waiting = new AbortController();
  const cancel = clock.after(freshWaitMs, () => waiting.abort());
  const reached = await cache.reached(
    revision,
    AbortSignal.any([waiting.signal, call.request.signal]),
  );
  cancel();
  if (!reached) throw tooLarge(revision, cache.revision);
}

/** As long as upstream waits. */
const freshWaitMs = 3_000;

function tooLarge(revision: number, current: number): StatusError {
  return new StatusError({
    code: 504,
    reason: "Timeout",
    message: `Timeout: Too large resource version: ${revision}, current: ${current}`,
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
  });
}

export function expired(message: string): StatusError {
  return new StatusError({ code: 410, reason: "Expired", message });
}
