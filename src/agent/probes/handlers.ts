import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type {
  Container,
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  TCPSocketAction,
} from "#api/generated/types.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { grpcHealth } from "#agent/probes/grpc-health.ts";

/** What a probe or a hook does. */
export interface Handler {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
  readonly grpc?: GRPCAction;
}

export interface HandlerTarget {
  readonly container: Container;
  readonly containerId: string;
  readonly podIp: string;
  readonly timeoutMs: number;
  readonly userAgent: string;
}

export interface HandlerResult {
  readonly ok: boolean;
  /** Upstream's text of the failure. */
  readonly output: string;
}

/** Runs handlers against containers. Never rejects: what goes wrong is a failure. */
export type Handlers = (handler: Handler, target: HandlerTarget) => Promise<HandlerResult>;

const bodyBytesMax = 10 * 1024;

export function createHandlers(runtime: ContainerRuntime): Handlers {
  return async (handler, target) => {
    try {
      if (runtime.probe) return await runtime.probe(target.containerId);
      if (handler.exec) return await runCommand(runtime, handler.exec, target);
      if (handler.httpGet) return await getPage(handler.httpGet, target);
      if (handler.tcpSocket) return await openPort(handler.tcpSocket, target);
      if (handler.grpc) return await grpcHealth(handler.grpc, target);
      return { ok: false, output: "missing probe handler" };
    } catch (error) {
      return { ok: false, output: (error as Error).message };
    }
  };
}

async function runCommand(
  runtime: ContainerRuntime,
  { command = [] }: ExecAction,
  target: HandlerTarget,
): Promise<HandlerResult> {
  const { exitCode, output } = await runtime.execSync(
    target.containerId,
    command,
    target.timeoutMs,
  );
  return { ok: exitCode === 0, output: output.slice(0, bodyBytesMax) };
}

function getPage(action: HTTPGetAction, target: HandlerTarget): Promise<HandlerResult> {
  const secure = action.scheme?.toUpperCase() === "HTTPS";
  const host = action.host || target.podIp;
  const port = portNumber(action.port, target.container);
  const path = action.path ?? "/";
  const url = `${secure ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}${path.startsWith("/") ? path : `/${path}`}`;
  const headers: Record<string, string> = { "User-Agent": target.userAgent, Accept: "*/*" };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  const failed = (why: string): HandlerResult => ({ ok: false, output: `Get "${url}": ${why}` });
  return new Promise((resolve) => {
    const send = secure ? httpsRequest : httpRequest;
    // Upstream checks no certificates here: a probe asks the pod itself whether it lives.
    const options = { headers, agent: false, timeout: target.timeoutMs, rejectUnauthorized: false };
    const request = send(url, options, (response) => {
      const code = response.statusCode ?? 0;
      response.resume();
      request.setTimeout(0);
      const ok = code >= 200 && code < 400;
      resolve({ ok, output: ok ? "" : `HTTP probe failed with statuscode: ${code}` });
      response.destroy();
    });
    const late = setTimeout(() => request.destroy(new Error(timeoutText)), target.timeoutMs);
    request.on("error", (error) => resolve(failed(connectionText(error, host, port))));
    request.on("close", () => clearTimeout(late));
    request.end();
  });
}

const timeoutText = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

function openPort(action: TCPSocketAction, target: HandlerTarget): Promise<HandlerResult> {
  const host = action.host || target.podIp;
  const port = portNumber(action.port, target.container);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: target.timeoutMs });
    const done = (result: HandlerResult): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on("connect", () => done({ ok: true, output: "" }));
    socket.on("timeout", () =>
      done({ ok: false, output: `dial tcp ${host}:${port}: i/o timeout` }),
    );
    socket.on("error", (error) => done({ ok: false, output: connectionText(error, host, port) }));
  });
}

/** Node's error in the words that Go's network library has for it. */
function connectionText(error: Error, host: string, port: number): string {
  const { code } = error as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ECONNREFUSED: "connect: connection refused",
    EHOSTUNREACH: "connect: no route to host",
    ENETUNREACH: "connect: network is unreachable",
    ETIMEDOUT: "i/o timeout",
  };
  const known = words[code ?? ""];
  return known ? `dial tcp ${host}:${port}: ${known}` : error.message;
}

export function portNumber(port: number | string, container: Container): number {
  const found =
    typeof port === "number" || /^\d+$/.test(port)
      ? Number(port)
      : container.ports?.find(({ name }) => name === port)?.containerPort;
  if (found === undefined) throw new Error(`couldn't find port: ${port}`);
  return found;
}
