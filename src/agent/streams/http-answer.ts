import { STATUS_CODES } from "node:http";
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { internalError, StatusError } from "#api/status.ts";
import { messageOf } from "#base/log.ts";

/** What a failed request is answered with: its own status where it has one, else an internal error. */
export function statusErrorOf(error: unknown): StatusError {
  return error instanceof StatusError ? error : internalError(messageOf(error));
}

/** Answers with a `Status`, or breaks off when the answer had begun. */
export function answerFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status } = statusErrorOf(error);
  response.writeHead(status.code, { "content-type": "application/json" });
  response.end(JSON.stringify(status));
}

/** The same on the bare socket of an upgrade that is refused. */
export function refuseUpgrade(
  socket: Duplex,
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { status } = statusErrorOf(error);
  const body = JSON.stringify(status);
  const head = httpHead(`${status.code} ${STATUS_CODES[status.code] ?? ""}`, {
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...headers,
  });
  socket.end(head + body);
}

export function httpHead(status: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`;
}
