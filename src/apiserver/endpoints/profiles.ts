import { badRequest, StatusError } from "#api/status.ts";
import { bytesResponse, textResponse, utf8 } from "#apiserver/content/bytes.ts";
import type { Profiler } from "#apiserver/parts.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";

/**
 * `/debug/pprof/…`: where the server spends its time and memory, for whoever may `get` these paths. The paths and the
 * `seconds` are upstream's; the profiles are V8's own, in JSON.
 */
export async function answerProfiles(
  profiler: Profiler | undefined,
  request: ApiRequest,
  path: string,
): Promise<ApiResponse | undefined> {
  if (profiler === undefined) return undefined;
  switch (path) {
    case "/debug/pprof":
      return textResponse(200, overview);
    case "/debug/pprof/profile":
      return profileOf(request, "cpu.cpuprofile", profiler.cpu);
    case "/debug/pprof/heap":
      return profileOf(request, "heap.heapprofile", profiler.heap);
    default:
      return undefined;
  }
}

const overview = [
  "/debug/pprof/profile?seconds=30  where the CPU time goes",
  "/debug/pprof/heap?seconds=30     what is allocated meanwhile and stays",
  "Open the answers in Chrome's developer tools or in speedscope.",
  "",
].join("\n");

async function profileOf(
  request: ApiRequest,
  fileName: string,
  take: Profiler["cpu"],
): Promise<ApiResponse> {
  const durationMs = secondsOf(request) * 1_000;
  if (taking) throw busy();
  taking = true;
  try {
    const bytes = utf8(await take(durationMs, request.signal));
    const headers = [["content-disposition", `attachment; filename="${fileName}"`]] as const;
    return bytesResponse(200, { type: "application/json", bytes }, headers);
  } finally {
    taking = false;
  }
}

/** A process has one profiler, whoever asks. */
let taking = false;

function secondsOf(request: ApiRequest): number {
  const text = request.query.get("seconds") ?? "";
  const seconds = text === "" ? secondsDefault : Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > secondsMax) {
    throw badRequest(`seconds must be a whole number from 1 to ${secondsMax}`);
  }
  return seconds;
}

const secondsDefault = 30;
const secondsMax = 120;

function busy(): StatusError {
  const message = "Cannot take a profile: another one is being taken";
  return new StatusError({ code: 409, reason: "Conflict", message });
}
