import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import { silentLog } from "#base/log.ts";
import { createStreamServer } from "#agent/streams/stream-server.ts";
import { createFakeApiServer } from "#agent/streams/testing/fake-api-server.ts";
import { createFakeTargets } from "#agent/streams/testing/fake-targets.ts";
import { kubectlFor } from "#test/clients.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "clients");
const folder = mkdtempSync(join(tmpdir(), "kogge-streams-"));
const kubeconfig = join(folder, "kubeconfig");
const opened = new AsyncDisposableStack();

before(async () => {
  const authority = createAuthority(Date.now());
  const subject = { commonName: "test", organizations: ["system:masters"] };
  const { certificate, key } = authority.issue({
    subject,
    use: "server-and-client",
    ipAddresses: ["127.0.0.1"],
  });
  const tls = { cert: certificate, key };
  const node = opened.use(
    await createStreamServer({
      targets: createFakeTargets(),
      tls: { ...tls, clientCa: authority.certificate },
      host: "127.0.0.1",
      port: 0,
      log: silentLog,
    }),
  );
  const credentials = { ca: authority.certificate, ...tls };
  const api = opened.use(
    await createFakeApiServer({ tls, node: { port: node.port, credentials } }),
  );
  const cluster = {
    server: api.url,
    "certificate-authority-data": Buffer.from(authority.certificate).toString("base64"),
  };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "a", cluster }],
      users: [{ name: "a", user: { token: "t" } }],
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
      "current-context": "a",
    }),
  );
});

after(async () => {
  await opened.disposeAsync();
  rmSync(folder, { recursive: true });
});

const transports = {
  WebSocket: {},
  SPDY: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" },
};

for (const [name, env] of Object.entries(transports)) {
  const kubectl = () => kubectlFor(kubeconfig);
  const options = { env, timeoutMs: 20_000 };

  test(`kubectl exec over ${name} carries input, outputs and exit codes`, { skip }, async () => {
    const run = kubectl().try;
    assert.deepEqual(await run(["exec", "web", "--", "both"], options), {
      code: 0,
      stdout: "to stdout\n",
      stderr: "to stderr\n",
    });
    const input = "line\n".repeat(200_000);
    const echoed = await run(["exec", "-i", "web", "--", "cat"], { ...options, input });
    assert.equal(echoed.stderr, "");
    assert.ok(echoed.stdout === input, `${echoed.stdout.length} characters came back`);
    const failed = await run(["exec", "web", "--", "exit", "7"], options);
    assert.deepEqual([failed.code, failed.stderr], [7, "command terminated with exit code 7\n"]);
    const flood = await run(["exec", "web", "--", "flood", "10485760"], options);
    assert.equal(flood.stdout.length, 10_485_760);
  });

  test(`kubectl attach over ${name} ends with its input`, { skip }, async () => {
    const attached = await kubectl().try(["attach", "-i", "web", "-c", "c"], {
      ...options,
      input: "typed\n",
    });
    assert.deepEqual([attached.code, attached.stdout], [0, "typed\n"]);
  });

  test(`kubectl port-forward over ${name} joins connections side by side`, { skip }, async () => {
    const { binary, env: bound } = kubectl();
    const child = spawn(binary, ["port-forward", "web", ":80"], {
      env: { ...process.env, ...bound, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = (await once(createInterface(child.stdout), "line")) as [string];
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
      const exchanges = Array.from({ length: 10 }, async (_, index) => {
        const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        socket.end(Buffer.alloc(300_000, index));
        return (await buffer(socket)).equals(Buffer.alloc(300_000, index));
      });
      assert.deepEqual(await Promise.all(exchanges), Array(10).fill(true));
    } finally {
      child.kill();
      await once(child, "close");
    }
  });
}

test("kubectl logs follows to the end", { skip }, async () => {
  assert.equal(await kubectlFor(kubeconfig)("logs -f web"), "one\ntwo\nthree\n");
});

test("kubectl exec shows why a command was refused", { skip }, async () => {
  const refused = await kubectlFor(kubeconfig).try(["exec", "gone", "--", "cat"]);
  assert.equal(refused.code, 1);
});
