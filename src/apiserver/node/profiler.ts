import { Session } from "node:inspector/promises";
import type { Profiler } from "#apiserver/parts.ts";

/** Profiles of this process as V8 makes them; Chrome's developer tools and `speedscope` open them. */
export function createProfiler(): Profiler {
  return {
    cpu: (durationMs, signal) => withSession((session) => cpuProfile(session, durationMs, signal)),
    heap: (durationMs, signal) =>
      withSession((session) => heapProfile(session, durationMs, signal)),
  };
}

async function cpuProfile(
  session: Session,
  durationMs: number,
  signal: AbortSignal,
): Promise<string> {
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  await pause(durationMs, signal);
  const { profile } = await session.post("Profiler.stop");
  return JSON.stringify(profile);
}

/** What was allocated meanwhile and is still held, sampled: a snapshot of the whole heap would stop the server. */
async function heapProfile(
  session: Session,
  durationMs: number,
  signal: AbortSignal,
): Promise<string> {
  await session.post("HeapProfiler.startSampling", { samplingInterval: samplingBytes });
  await pause(durationMs, signal);
  const { profile } = await session.post("HeapProfiler.stopSampling");
  return JSON.stringify(profile);
}

const samplingBytes = 32 * 1024;

async function withSession<T>(act: (session: Session) => Promise<T>): Promise<T> {
  const session = new Session();
  session.connect();
  try {
    return await act(session);
  } finally {
    session.disconnect();
  }
}

/** Ends early when the caller is gone. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done, { once: true });
  });
}
