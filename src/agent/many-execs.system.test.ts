import { deepEqual, equal, ok } from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import process from "node:process";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { pods } from "#api/resources.ts";
import { isReady, needsContainers, openRealNode, podOnNode, until } from "#test/real-node.ts";

const skip = needsContainers;
const name = { namespace: "default", pod: "app", container: "main" };
const both = { tty: false, stdin: true, stdout: true, stderr: false };
const outputOnly = { ...both, stdin: false };

test("a hundred commands at once each get their own input back", { skip }, async () => {
  await using node = await openRealNode();
  const agent = await node.startAgent();
  await node.client.create(pods, podOnNode("app"));
  await until(node.client, "app", isReady);
  const ends = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const input = randomBytes(20_000 + index);
      const streams = await agent.targets.exec(name, { ...both, command: ["cat"] });
      streams.stdin!.end(input);
      // The end of the input alone ends the command: its output is still open then.
      const output = await buffer(streams.stdout!);
      return { same: output.equals(input), end: await streams.ended };
    }),
  );
  ok(ends.every(({ same }) => same));
  deepEqual(
    new Set(ends.map(({ end }) => JSON.stringify(end))),
    new Set(['{"kind":"exited","code":0}']),
  );
});

test(
  "output that nobody reads waits in the container, and comes whole when it is read",
  { skip },
  async () => {
    await using node = await openRealNode();
    const agent = await node.startAgent();
    await node.client.create(pods, podOnNode("app"));
    await until(node.client, "app", isReady);
    const bytes = 60 * 1024 * 1024;
    const command = ["sh", "-c", `head -c ${bytes} /dev/zero`];
    const streams = await agent.targets.exec(name, { ...outputOnly, command });
    await once(streams.stdout!, "readable");
    const before = process.memoryUsage().rss;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    ok(process.memoryUsage().rss - before < 30 * 1024 * 1024, "the output is kept in memory");
    const hash = createHash("sha1");
    let length = 0;
    for await (const chunk of streams.stdout as AsyncIterable<Buffer>) {
      hash.update(chunk);
      length += chunk.length;
    }
    equal(length, bytes);
    equal(hash.digest("hex"), createHash("sha1").update(Buffer.alloc(bytes)).digest("hex"));
    deepEqual(await streams.ended, { kind: "exited", code: 0 });
  },
);

test("a terminal has the size that it is given", { skip }, async () => {
  await using node = await openRealNode();
  const agent = await node.startAgent();
  await node.client.create(pods, podOnNode("app"));
  await until(node.client, "app", isReady);
  const command = [
    "sh",
    "-c",
    "trap 'stty size; exit' WINCH; echo on; while :; do sleep 0.1; done",
  ];
  const streams = await agent.targets.exec(name, { ...both, tty: true, command });
  let output = "";
  for await (const chunk of streams.stdout as AsyncIterable<Buffer>) {
    output += chunk.toString();
    if (output.endsWith("on\r\n")) streams.resize({ width: 132, height: 43 });
  }
  equal(output, "on\r\n43 132\r\n");
});
