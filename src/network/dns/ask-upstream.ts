import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Clock } from "#base/clock.ts";
import { sameQuestion } from "#network/dns/raw-message.ts";
import type { Upstream } from "#network/dns/resolv-conf.ts";
import { messageReader, withLength } from "#network/dns/tcp-frames.ts";

export interface AskOptions {
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const truncated = 0x0200;

/** One question to one server: over UDP, and over TCP when the answer does not fit. Rejects without an answer in time. */
export async function askUpstream(
  server: Upstream,
  question: Buffer,
  options: AskOptions,
): Promise<Buffer> {
  const answer = await settled(options, (settle) => askUdp(server, question, settle));
  if ((answer.readUInt16BE(2) & truncated) === 0) return answer;
  return settled(options, (settle) => askTcp(server, question, settle));
}

interface Settle {
  resolve(answer: Buffer): void;
  reject(error: Error): void;
}

/** Starts asking and closes what it opened when an answer, an error, the end of the time or of the server is there. */
function settled(
  { timeoutMs, clock, signal }: AskOptions,
  start: (settle: Settle) => () => void,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const end = (act: () => void): void => {
      cancel();
      signal.removeEventListener("abort", abort);
      close();
      act();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const abort = (): void => fail(signal.reason as Error);
    const cancel = clock.after(timeoutMs, () => fail(new Error(`no answer in ${timeoutMs} ms`)));
    const close = start({ resolve: (answer) => end(() => resolve(answer)), reject: fail });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Each question has a socket, and so a port, of its own: answers are hard to forge. */
function askUdp(server: Upstream, question: Buffer, settle: Settle): () => void {
  const socket = createSocket(isIPv6(server.host.split("%")[0] ?? "") ? "udp6" : "udp4");
  let open = true;
  socket.on("error", (error) => open && settle.reject(error));
  socket.on("message", (answer) => {
    if (open && answersTo(question, answer)) settle.resolve(answer);
  });
  socket.connect(server.port, server.host, () => {
    if (open) socket.send(question);
  });
  return () => {
    open = false;
    socket.close();
  };
}

function askTcp(server: Upstream, question: Buffer, settle: Settle): () => void {
  const socket = connect(server.port, server.host);
  const read = messageReader((answer) => {
    if (answersTo(question, answer)) settle.resolve(answer);
    else settle.reject(new Error("an answer to something else came"));
  });
  let open = true;
  const whileOpen = (act: () => void) => (): void => {
    if (open) act();
  };
  socket.on("error", (error) => whileOpen(() => settle.reject(error))());
  socket.on(
    "close",
    whileOpen(() => settle.reject(new Error("the connection was closed"))),
  );
  socket.on("data", (bytes) => whileOpen(() => read(bytes))());
  socket.write(withLength(question));
  return () => {
    open = false;
    socket.destroy();
  };
}

function answersTo(question: Buffer, answer: Buffer): boolean {
  try {
    return (
      answer.readUInt16BE(0) === question.readUInt16BE(0) &&
      (answer.readUInt16BE(2) & 0x8000) !== 0 &&
      sameQuestion(question, answer)
    );
  } catch (error) {
    if (error instanceof RangeError) return false; // Not even a whole message.
    throw error;
  }
}
