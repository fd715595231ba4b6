import assert from "node:assert/strict";
import { test } from "node:test";
import { createOutgoing } from "#apiserver/node/outgoing/outgoing.ts";
import type { OutgoingRequest } from "#apiserver/outgoing.ts";
import { startWebhookServer, type WebhookServer } from "#test/webhook-server.ts";

function asking(server: WebhookServer, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: "GET",
    url: `${server.url}/x`,
    headers: {},
    trust: { authorities: Buffer.from(server.caBundle, "base64").toString() },
    timeoutMs: 5_000,
    limitBytes: 1_000,
    ...more,
  };
}

test("an answer that stops half-way is given up in time, one that is too long at once", async () => {
  const stop = Promise.withResolvers<void>();
  async function* halting(): AsyncGenerator<string> {
    yield "{";
    await stop.promise;
  }
  await using slow = await startWebhookServer(() => ({ body: halting() }));
  await using long = await startWebhookServer(() => ({ body: "x".repeat(2_000) }));
  using outgoing = createOutgoing();
  await assert.rejects(outgoing.send(asking(slow, { timeoutMs: 100 })), {
    message: `Get "${slow.url}/x": context deadline exceeded`,
  });
  const cancelled = new AbortController();
  const sending = outgoing.send(asking(slow, { signal: cancelled.signal }));
  cancelled.abort();
  await assert.rejects(sending, { message: `Get "${slow.url}/x": context canceled` });
  await assert.rejects(outgoing.send(asking(long)), /the answer is longer than 1000 bytes$/);
  stop.resolve();
});

test("a server is known by the name it was asked by, wherever it is reached", async () => {
  await using server = await startWebhookServer(() => ({ body: { ok: true } }), {
    dnsNames: ["a.default.svc"],
  });
  using outgoing = createOutgoing();
  const ask = (name: string) => {
    const { trust } = asking(server);
    return outgoing.send(
      asking(server, {
        url: `https://${name}:443/x`,
        address: { host: "127.0.0.1", port: server.port },
        trust: { ...trust, serverName: name },
      }),
    );
  };
  assert.equal((await ask("a.default.svc")).status, 200);
  await assert.rejects(ask("b.default.svc"), /tls: failed to verify certificate: x509: /);
  assert.equal(server.asked[0]?.headers.host, "a.default.svc");
});
