import { strict as assert } from "node:assert";
import { createDeflate, constants } from "node:zlib";
import { createServer, connect } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { duplexPair, Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { headerDictionary } from "#agent/streams/spdy/dictionary.ts";
import { createFrameDecoder, encodeControl, encodeDataHeader } from "#agent/streams/spdy/frames.ts";
import type { Frame } from "#agent/streams/spdy/frames.ts";
import { createHeaderCompressor, createHeaderDecompressor } from "#agent/streams/spdy/headers.ts";
import { SpdySession } from "#agent/streams/spdy/session.ts";
import type { SpdySessionOptions } from "#agent/streams/spdy/session.ts";
import type { SpdyStream } from "#agent/streams/spdy/stream.ts";

const headersOf = (streamtype: string): Map<string, string> =>
  new Map([["streamtype", streamtype]]);

async function connectedSockets(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const { port } = server.address() as { port: number };
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [[far]] = await Promise.all([accepted, once(near, "connect")]);
  server.close();
  return [near, far];
}

async function connectedSessions(
  onStream: SpdySessionOptions["onStream"],
  options: Partial<SpdySessionOptions> = {},
): Promise<[SpdySession, SpdySession]> {
  const [near, far] = await connectedSockets();
  const client = new SpdySession(near, { role: "client" });
  const server = new SpdySession(far, {
    role: "server",
    ...(onStream && { onStream }),
    ...options,
  });
  return [client, server];
}

async function withSessions(
  onStream: (stream: SpdyStream) => string | undefined,
  act: (client: SpdySession, server: SpdySession) => Promise<void>,
): Promise<void> {
  const [client, server] = await connectedSessions(onStream);
  try {
    await act(client, server);
  } finally {
    client.destroy();
    server.destroy();
  }
}

test("createFrameDecoder() reads each control frame that encodeControl() writes, however it is cut", () => {
  const headerBlock = Buffer.from("block");
  const frames: Exclude<Frame, { kind: "data" }>[] = [
    { kind: "syn-stream", streamId: 1, fin: true, unidirectional: false, headerBlock },
    { kind: "syn-reply", streamId: 1, fin: false, headerBlock },
    { kind: "headers", streamId: 3, fin: true, headerBlock },
    { kind: "rst-stream", streamId: 5, status: 5 },
    { kind: "settings" },
    { kind: "ping", id: 0xffff_fffe },
    { kind: "goaway", lastStreamId: 7, status: 0 },
    { kind: "window-update", streamId: 0, delta: 1 },
  ];
  const bytes = Buffer.concat(frames.map(encodeControl));
  assert.deepEqual(createFrameDecoder()(bytes), frames);
  const decode = createFrameDecoder();
  assert.deepEqual(
    [...bytes].flatMap((byte) => decode(Buffer.from([byte]))),
    frames,
  );
});

test("createFrameDecoder() hands out a data frame in pieces and ends it with the last", () => {
  const decode = createFrameDecoder();
  const bytes = Buffer.concat([encodeDataHeader(3, true, 6), Buffer.from("abcdef")]);
  assert.deepEqual(
    [...decode(bytes.subarray(0, 10)), ...decode(bytes.subarray(10))],
    [
      { kind: "data", streamId: 3, fin: false, data: Buffer.from("ab") },
      { kind: "data", streamId: 3, fin: true, data: Buffer.from("cdef") },
    ],
  );
});

test("createHeaderDecompressor() follows one zlib stream over many blocks, ours and zlib's own", async () => {
  const compress = createHeaderCompressor();
  const decompress = createHeaderDecompressor();
  for (let index = 0; index < 200; index++) {
    const headers = new Map([
      ["streamtype", "data"],
      ["port", "80"],
      ["requestid", `${index}`],
    ]);
    assert.deepEqual(decompress(compress(headers)), headers);
  }
  const deflate = createDeflate({ dictionary: headerDictionary });
  const decompressZlib = createHeaderDecompressor();
  for (const type of ["error", "stdin", "stdout"]) {
    const plain = Buffer.alloc(4 + 4 + 10 + 4 + type.length);
    plain.writeUInt32BE(1);
    plain.writeUInt32BE(10, 4);
    plain.write("streamtype", 8);
    plain.writeUInt32BE(type.length, 18);
    plain.write(type, 22);
    deflate.write(plain);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    assert.deepEqual(decompressZlib(deflate.read() as Buffer), headersOf(type));
  }
  deflate.destroy();
});

test("SpdySession carries bytes both ways, and either way ends alone", async () => {
  const onStream = (stream: SpdyStream): undefined => {
    void buffer(stream).then((sent) =>
      stream.end(`${stream.headers.get("streamtype")}:${sent.toString()}`),
    );
  };
  await withSessions(onStream, async (client) => {
    const answers = ["a", "b", "c"].map(async (name) => {
      const stream = await client.open(headersOf(name));
      stream.end(`hello ${name}`);
      return text(stream);
    });
    assert.deepEqual(await Promise.all(answers), ["a:hello a", "b:hello b", "c:hello c"]);
    await client.ping();
  });
});

test("SpdySession holds back a writer whose reader is slow, and loses nothing of 10 MB", async () => {
  const sentBytes = 10 * 1024 * 1024;
  let writtenBytes = 0;
  const onStream = (stream: SpdyStream): undefined => {
    const blocks = function* (): Generator<Buffer> {
      for (; writtenBytes < sentBytes; writtenBytes += 65_536) {
        yield Buffer.alloc(65_536, writtenBytes / 65_536);
      }
    };
    void pipeline(Readable.from(blocks()), stream);
  };
  const [near, far] = duplexPair();
  const client = new SpdySession(near, { role: "client" });
  const server = new SpdySession(far, { role: "server", onStream });
  const stream = await client.open(headersOf("stdout"));
  let receivedBytes = 0;
  let aheadBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    aheadBytes = Math.max(aheadBytes, writtenBytes - receivedBytes);
    for (const byte of chunk) {
      if (byte !== (Math.floor(receivedBytes++ / 65_536) & 0xff)) assert.fail("a byte is wrong");
    }
    await setImmediate();
  }
  assert.equal(receivedBytes, sentBytes);
  assert.ok(aheadBytes < 2 * 1024 * 1024, `the writer was ${aheadBytes} bytes ahead`);
  client.destroy();
  server.destroy();
});

test("SpdySession controls flow both ways with a peer that does", async () => {
  const [near, far] = duplexPair();
  const session = new SpdySession(far, {
    role: "server",
    onStream: (stream) => {
      stream.on("error", () => {});
      stream.resume();
      stream.write(Buffer.alloc(100_000));
      return undefined;
    },
  });
  const decode = createFrameDecoder();
  const received: Frame[] = [];
  let receivedBytes = 0;
  near.on("data", (chunk: Buffer) => {
    for (const frame of decode(chunk)) {
      if (frame.kind === "data") receivedBytes += frame.data.length;
      else received.push(frame);
    }
  });
  const headerBlock = createHeaderCompressor()(headersOf("stdout"));
  const pong = async (id: number): Promise<void> => {
    near.write(encodeControl({ kind: "ping", id }));
    while (!received.some((frame) => frame.kind === "ping" && frame.id === id))
      await setImmediate();
  };
  near.write(encodeControl({ kind: "window-update", streamId: 0, delta: 1_000_000 }));
  near.write(
    encodeControl({
      kind: "syn-stream",
      streamId: 1,
      fin: false,
      unidirectional: false,
      headerBlock,
    }),
  );
  near.write(encodeDataHeader(1, false, 40_000));
  near.write(Buffer.alloc(40_000));
  await pong(1);
  assert.equal(receivedBytes, 65_536);
  near.write(encodeControl({ kind: "window-update", streamId: 1, delta: 1_000_000 }));
  await pong(3);
  assert.equal(receivedBytes, 100_000);
  const updates = received.filter((frame) => frame.kind === "window-update");
  assert.deepEqual(
    updates.map(({ streamId }) => streamId),
    [1, 0],
  );
  session.destroy();
  near.destroy();
});

test("SpdySession ends a stream's reading side at a reset, after what had arrived", async () => {
  const onStream = (stream: SpdyStream): undefined => {
    stream.write("last words", () => stream.destroy());
  };
  await withSessions(onStream, async (client) => {
    const stream = await client.open(headersOf("stdout"));
    assert.equal(await text(stream), "last words");
    assert.ok(stream.wasReset);
    stream.end("dropped");
    await finished(stream);
  });
});

test("SpdySession refuses streams nobody takes and those past the limit", async () => {
  await withSessions(
    () => "no",
    async (client) => {
      await assert.rejects(client.open(headersOf("x")), /the peer refused it/);
    },
  );
  const [client, server] = await connectedSessions(() => undefined, { streamsMax: 1 });
  await client.open(headersOf("a"));
  await assert.rejects(client.open(headersOf("b")), /the peer refused it/);
  client.destroy();
  server.destroy();
});

test("SpdySession cuts its streams off with an error when the connection is lost", async () => {
  let taken: SpdyStream | undefined;
  const [client, server] = await connectedSessions((stream) => {
    taken = stream;
    return undefined;
  });
  const stream = await client.open(headersOf("stdin"));
  const failed = new Promise((resolve) => stream.once("close", resolve));
  taken?.on("error", () => {});
  server.destroy();
  await failed;
  assert.match(String(stream.errored), /the connection was lost/);
  await client.closed;
  await assert.rejects(client.open(headersOf("late")), /the connection is closing/);
});

test("SpdySession takes random bytes and broken frames by closing, never by throwing", async () => {
  const random = seededRandom(7);
  const valid = Buffer.concat([
    encodeControl({
      kind: "syn-stream",
      streamId: 1,
      fin: false,
      unidirectional: false,
      headerBlock: createHeaderCompressor()(headersOf("stdin")),
    }),
    encodeDataHeader(1, false, 3),
    Buffer.from("abc"),
    encodeControl({ kind: "ping", id: 1 }),
  ]);
  for (let round = 0; round < 400; round++) {
    const [near, far] = duplexPair();
    const session = new SpdySession(far, {
      role: "server",
      onStream: (stream) => void stream.on("error", () => {}),
    });
    near.on("error", () => {});
    near.resume();
    const bytes = Buffer.from(
      round % 2 === 0 ? valid : Array.from({ length: 64 }, () => random() * 256),
    );
    for (let flips = 0; flips < 3; flips++)
      bytes[Math.floor(random() * bytes.length)] = random() * 256;
    near.end(bytes);
    await session.closed;
  }
});
