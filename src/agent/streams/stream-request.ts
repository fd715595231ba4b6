import { badRequest, StatusError } from "#api/status.ts";
import { pageNotFound } from "#agent/streams/page.ts";
import type {
  AttachOptions,
  ContainerName,
  ExecOptions,
  LogOptions,
  PodName,
} from "#agent/streams/process-streams.ts";

/** What a client of the node's stream server asks for. */
export type StreamRequest =
  | { readonly kind: "exec"; readonly container: ContainerName; readonly options: ExecOptions }
  | { readonly kind: "attach"; readonly container: ContainerName; readonly options: AttachOptions }
  | { readonly kind: "port-forward"; readonly pod: PodName; readonly ports: readonly number[] }
  | {
      readonly kind: "logs";
      readonly container: ContainerName;
      readonly options: Omit<LogOptions, "signal">;
    }
  | { readonly kind: "page"; readonly path: string };

/**
 * Reads the kubelet's paths and parameters; those of the API server's subresources (`stdin` for `input`, …) are
 * taken too. Throws a `StatusError` for what is malformed.
 */
export function parseStreamRequest(url: URL, nowMs: number): StreamRequest {
  const [, verb, ...names] = url.pathname.split("/").map(decodeName);
  const query = url.searchParams;
  switch (verb) {
    case "exec": {
      const command = query.getAll("command");
      if (command.length === 0) throw badRequest("you must specify a command");
      const container = containerName(names);
      return { kind: "exec", container, options: { command, ...processOptions(query) } };
    }
    case "attach":
      return { kind: "attach", container: containerName(names), options: processOptions(query) };
    case "portForward":
      return { kind: "port-forward", pod: podName(names), ports: parsePorts(query) };
    case "containerLogs":
      return { kind: "logs", container: containerName(names), options: logOptions(query, nowMs) };
    default:
      return { kind: "page", path: url.pathname };
  }
}

/** A TCP port from a header or a parameter, with upstream's words when it is none. */
export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw badRequest(`unable to parse "${text}" as a port`);
  }
  if (Number(text) < 1) throw badRequest(`port "${text}" must be > 0`);
  return Number(text);
}

const portsMax = 100;

function decodeName(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) throw badRequest(`Cannot read the path segment "${segment}"`);
    throw error;
  }
}

function podName(names: readonly string[]): PodName {
  const [namespace, pod, ...rest] = names;
  if (!namespace || !pod || rest.length > 0) throw pageNotFound();
  return { namespace, pod };
}

function containerName(names: readonly string[]): ContainerName {
  const container = names[2];
  if (!container || names.length !== 3) throw pageNotFound();
  return { ...podName(names.slice(0, 2)), container };
}

function processOptions(query: URLSearchParams): AttachOptions {
  const stdin = flag(query, "input", "stdin");
  const stdout = flag(query, "output", "stdout");
  const tty = flag(query, "tty");
  const stderr = flag(query, "error", "stderr") && !tty;
  if (!stdin && !stdout && !stderr) {
    throw badRequest("you must specify at least 1 of stdin, stdout, stderr");
  }
  return { tty, stdin, stdout, stderr };
}

function parsePorts(query: URLSearchParams): readonly number[] {
  const texts = [...query.getAll("port"), ...query.getAll("ports")].flatMap((list) =>
    list.split(","),
  );
  if (texts.length > portsMax) throw badRequest(`Cannot forward more than ${portsMax} ports`);
  return texts.map(parsePort);
}

function logOptions(query: URLSearchParams, nowMs: number): Omit<LogOptions, "signal"> {
  const tailLines = wholeNumber(query, "tailLines", 0) ?? wholeNumber(query, "tail", 0);
  const limitBytes = wholeNumber(query, "limitBytes", 1);
  const sinceMs = logsSince(query, nowMs);
  return {
    follow: flag(query, "follow"),
    previous: flag(query, "previous"),
    timestamps: flag(query, "timestamps"),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(sinceMs !== undefined && { sinceMs }),
    stream: logStream(query),
  };
}

function logStream(query: URLSearchParams): "All" | "Stdout" | "Stderr" {
  const stream = query.get("stream") || "All";
  if (stream === "All" || stream === "Stdout" || stream === "Stderr") return stream;
  throw badRequest(`invalid stream type "${stream}"`);
}

function logsSince(query: URLSearchParams, nowMs: number): number | undefined {
  const seconds = wholeNumber(query, "sinceSeconds", 1);
  if (seconds !== undefined) return nowMs - seconds * 1000;
  const time = query.get("sinceTime");
  if (!time) return undefined;
  const sinceMs = Date.parse(time);
  if (Number.isNaN(sinceMs)) throw badRequest(`Cannot read sinceTime: "${time}" is not RFC 3339`);
  return sinceMs;
}

function wholeNumber(query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === "" || (name === "tail" && text === "all")) return undefined;
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw badRequest(`Cannot read ${name}: "${text}" is not a whole number`);
  }
  if (value >= least) return value;
  throw new StatusError({
    code: 422,
    reason: "Invalid",
    message: `${name}: Invalid value: ${value}: must be greater than or equal to ${least}`,
  });
}

/** As upstream reads booleans in a query: present and neither "false" nor "0" is true. */
function flag(query: URLSearchParams, ...names: readonly string[]): boolean {
  return names.some((name) => {
    const value = query.get(name);
    return value !== null && value.toLowerCase() !== "false" && value !== "0";
  });
}
