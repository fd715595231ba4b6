import type { Status } from "#api/generated/types.ts";
import type { ProcessEnd } from "#agent/streams/process-streams.ts";

/** What the error channel of protocol v4 and later carries: a `metav1.Status` without kind and version. */
type ChannelStatus = Omit<Status, "kind" | "apiVersion">;

/** The error channel's text for the end of an exec; before v4 it is bare text, and empty for success. */
export function execEndText(
  end: ProcessEnd,
  command: readonly string[],
  hasStatus: boolean,
): string {
  if (end.kind === "failed") {
    return failureText(`error executing command in container: ${end.message}`, hasStatus);
  }
  if (end.code === 0) return successText(hasStatus);
  const message = `command terminated with non-zero exit code: error executing command [${command.join(" ")}], exit code ${end.code}`;
  if (!hasStatus) return message;
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(end.code) }] },
  } satisfies ChannelStatus);
}

/** The same for an attach, which succeeds however the container ended. */
export function attachEndText(end: ProcessEnd, hasStatus: boolean): string {
  return end.kind === "failed"
    ? failureText(`error attaching to container: ${end.message}`, hasStatus)
    : successText(hasStatus);
}

/** Reads the error channel's text of a v4 peer. An empty one means success. */
export function readEndText(text: string): ProcessEnd {
  if (text === "") return { kind: "exited", code: 0 };
  const status = parseStatus(text);
  if (status === undefined) return { kind: "failed", message: text };
  if (status.status === "Success") return { kind: "exited", code: 0 };
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  const code = Number(cause?.message);
  if (status.reason === "NonZeroExitCode" && Number.isInteger(code))
    return { kind: "exited", code };
  return { kind: "failed", message: status.message ?? text };
}

function successText(hasStatus: boolean): string {
  return hasStatus
    ? JSON.stringify({ metadata: {}, status: "Success" } satisfies ChannelStatus)
    : "";
}

function failureText(message: string, hasStatus: boolean): string {
  if (!hasStatus) return message;
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message: `Internal error occurred: ${message}`,
    reason: "InternalError",
    details: { causes: [{ message }] },
    code: 500,
  } satisfies ChannelStatus);
}

function parseStatus(text: string): Partial<Status> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
