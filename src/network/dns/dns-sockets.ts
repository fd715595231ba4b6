import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import type { Log } from "#base/log.ts";
import { messageReader, withLength } from "#network/dns/tcp-frames.ts";

export interface DnsSocketsParts {
  readonly host: string;
  /** 0: the kernel chooses one that is free for both UDP and TCP. */
  readonly port: number;
  /** The answer, or undefined to stay silent. Never rejects. */
  readonly handle: (bytes: Buffer, transport: "udp" | "tcp") => Promise<Buffer | undefined>;
  readonly log: Log;
}

export interface DnsSockets extends AsyncDisposable {
  readonly port: number;
}

const attemptsMax = 20;
/** Packets being answered; more are dropped, and clients ask again. */
const packetsMax = 2000;
const connectionsMax = 256;
const idleMs = 10_000;
/** Questions of one connection being answered; then it is read no further. */
const pipelinedMax = 32;

export async function openDnsSockets(parts: DnsSocketsParts): Promise<DnsSockets> {
  for (let attempt = 1; ; attempt += 1) {
    const udp = await openUdp(parts);
    const { port } = udp.address();
    try {
      const tcp = await openTcp(parts, port);
      return { port, [Symbol.asyncDispose]: () => closeBoth(udp, tcp) };
    } catch (error) {
      udp.close();
      const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!taken || parts.port !== 0 || attempt === attemptsMax) {
        throw new Error(`Cannot serve DNS at ${parts.host}:${port}`, { cause: error });
      }
    }
  }
}

async function openUdp({ host, port, handle, log }: DnsSocketsParts): Promise<UdpSocket> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  socket.bind(port, host);
  await once(socket, "listening");
  let packets = 0;
  socket.on("error", (error) => log.warn("DNS socket failed", { error }));
  const answer = async (bytes: Buffer, { port: to, address }: RemoteInfo): Promise<void> => {
    packets += 1;
    const reply = await handle(bytes, "udp");
    packets -= 1;
    if (reply) send(socket, reply, { to, address });
  };
  socket.on("message", (bytes, from) => {
    if (packets < packetsMax) void answer(bytes, from);
  });
  return socket;
}

/** A client that is gone, or a socket that is being closed, is no loss. */
function send(socket: UdpSocket, reply: Buffer, at: { to: number; address: string }): void {
  try {
    socket.send(reply, at.to, at.address, () => {});
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SOCKET_DGRAM_NOT_RUNNING") throw error;
  }
}

interface TcpServer {
  readonly server: Server;
  readonly connections: Set<Socket>;
}

async function openTcp(parts: DnsSocketsParts, port: number): Promise<TcpServer> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    serve(socket, parts);
  });
  server.maxConnections = connectionsMax;
  server.listen(port, parts.host);
  await once(server, "listening");
  return { server, connections };
}

function serve(socket: Socket, { handle }: DnsSocketsParts): void {
  let pending = 0;
  const answer = async (message: Buffer): Promise<void> => {
    pending += 1;
    if (pending >= pipelinedMax) socket.pause();
    const reply = await handle(message, "tcp");
    pending -= 1;
    if (reply && socket.writable) socket.write(withLength(reply));
    if (pending < pipelinedMax) socket.resume();
  };
  const read = messageReader((message) => void answer(message));
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy()); // The other side is gone.
  socket.on("data", read);
}

async function closeBoth(udp: UdpSocket, { server, connections }: TcpServer): Promise<void> {
  const closed = [once(udp, "close"), once(server, "close")];
  udp.close();
  server.close();
  for (const socket of connections) socket.destroy();
  await Promise.all(closed);
}
