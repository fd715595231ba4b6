import { badRequest, invalid, StatusError } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";

/** How fresh or how old an answer a list or watch asks for. */
export type VersionWish =
  | { readonly kind: "newest" }
  /** Whatever the cache has. */
  | { readonly kind: "any" }
  | { readonly kind: "notOlderThan"; readonly revision: number }
  | { readonly kind: "exactly"; readonly revision: number };

export function listVersionWish(query: URLSearchParams): VersionWish {
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  assertMatch(version, match, query);
  if (version === "") return { kind: "newest" };
  const revision = parseRevision(version);
  if (match === "Exact") return { kind: "exactly", revision };
  return revision === 0 ? { kind: "any" } : { kind: "notOlderThan", revision };
}

function assertMatch(version: string, match: string, query: URLSearchParams): void {
  if (match === "") return;
  if (version === "")
    throw forbiddenOption("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (query.get("continue"))
    throw forbiddenOption("resourceVersionMatch is forbidden when continue is provided");
  if (match !== "Exact" && match !== "NotOlderThan") {
    throw invalidOptions([
      {
        reason: "FieldValueNotSupported",
        message: `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan"`,
        field: "resourceVersionMatch",
      },
    ]);
  }
  if (match === "Exact" && version === "0") {
    throw forbiddenOption('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
}

export function parseRevision(version: string): number {
  const revision = /^\d{1,16}$/.test(version) ? Number(version) : Number.NaN;
  if (!Number.isSafeInteger(revision)) {
    throw badRequest(
      `Invalid value: ${JSON.stringify(version)}: strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`,
    );
  }
  return revision;
}

export function forbiddenOption(detail: string, field = "resourceVersionMatch"): StatusError {
  return invalidOptions([
    { reason: "FieldValueForbidden", message: `Forbidden: ${detail}`, field },
  ]);
}

function invalidOptions(causes: Parameters<typeof invalid>[2]): StatusError {
  return invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", causes);
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
