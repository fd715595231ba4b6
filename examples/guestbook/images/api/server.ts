import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { hostname } from "node:os";
import process from "node:process";
import { createClient } from "redis";

// The guestbook's API: `GET /api/entries` lists, `POST /api/entries` signs. Entries live in one Redis list.
const port = 8080;
const shownMax = 50;
const keptMax = 1000;
const bodyLimitBytes = 4096;

const redis = createClient({ url: process.env["REDIS_URL"] ?? "redis://redis:6379" });
redis.on("error", (error: Error) => console.error("redis:", error.message));
await redis.connect();

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    send(response, 503, { error: "The store does not answer" });
  });
});
server.listen(port);
await once(server, "listening");
console.log(`guestbook API on port ${port}`);

process.once("SIGTERM", () => {
  server.close(() => void redis.close());
  server.closeIdleConnections();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? "/", "http://guestbook").pathname;
  if (path === "/healthz")
    return send(response, redis.isReady ? 200 : 503, { ready: redis.isReady });
  if (path !== "/api/entries") return send(response, 404, { error: `There is no ${path}` });
  if (request.method === "POST") {
    const entry = readEntry(await readBody(request));
    if (typeof entry === "string") return send(response, 400, { error: entry });
    await redis.lPush("entries", JSON.stringify(entry));
    await redis.lTrim("entries", 0, keptMax - 1);
  }
  const entries = await redis.lRange("entries", 0, shownMax - 1);
  send(response, 200, {
    pod: hostname(),
    entries: entries.map((entry) => JSON.parse(entry) as unknown),
  });
}

interface Entry {
  readonly name: string;
  readonly message: string;
  readonly time: string;
}

/** The entry, or what is wrong with it. */
function readEntry(body: string | undefined): Entry | string {
  if (body === undefined) return `An entry has at most ${bodyLimitBytes} bytes`;
  let value: Partial<Entry>;
  try {
    value = JSON.parse(body) as Partial<Entry>;
  } catch {
    return "The entry is not JSON";
  }
  const { name, message } = value;
  if (typeof name !== "string" || name.trim() === "") return "The entry needs a name";
  if (typeof message !== "string" || message.trim() === "") return "The entry needs a message";
  return {
    name: name.trim().slice(0, 60),
    message: message.trim().slice(0, 500),
    time: new Date().toISOString(),
  };
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let body = "";
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > bodyLimitBytes) return undefined;
  }
  return body;
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
