import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { test } from "node:test";
import { configMaps, secrets } from "#api/resources.ts";
import { createInformer } from "#client/create-informer.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { discoverCluster, parseToken, publicKeyHash } from "#main/agent-process/cluster-info.ts";
import { explainFailure, isUnreachable } from "#main/agent-process/explain-failure.ts";
import { createCluster } from "#main/testing.ts";
import type { TestCluster } from "#main/testing.ts";

const token = { id: "abcdef", secret: "0123456789abcdef" };

async function addToken({ client }: TestCluster): Promise<void> {
  const stop = new AbortController();
  const at = { namespace: "kube-public", name: "cluster-info" };
  const maps = createInformer(client, configMaps, {
    namespace: at.namespace,
    clock: systemClock,
    log: silentLog,
    signal: stop.signal,
  });
  await client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    type: "bootstrap.kubernetes.io/token",
    metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" },
    data: {
      "token-id": btoa(token.id),
      "token-secret": btoa(token.secret),
      "usage-bootstrap-signing": btoa("true"),
    },
  });
  await maps.until(
    () => maps.get(at)?.data?.["jws-kubeconfig-abcdef"] !== undefined,
    AbortSignal.timeout(10_000),
  );
  stop.abort();
}

test("discoverCluster() believes what the token's secret signed, and nothing else", async () => {
  await using cluster = await createCluster({ nodes: 0 });
  await addToken(cluster);
  const ask = (change: Partial<Parameters<typeof discoverCluster>[0]> = {}) =>
    discoverCluster({
      server: cluster.server,
      token,
      caCertHashes: [],
      nowMs: Date.now(),
      ...change,
    });
  const { authority, localAddress, clockAheadMs } = await ask();
  equal(cluster.kubeconfig.includes(Buffer.from(authority).toString("base64")), true);
  equal(localAddress, "127.0.0.1");
  equal(Math.abs(clockAheadMs) < 60_000, true);
  equal(
    (await ask({ caCertHashes: ["sha256:00", publicKeyHash(authority).toUpperCase()] })).authority,
    authority,
  );
  await rejects(ask({ caCertHashes: ["sha256:00"] }), /its authority has the key sha256:/);
  await rejects(ask({ token: { ...token, id: "fedcba" } }), /it knows no token "fedcba"/);
  await rejects(ask({ token: { ...token, secret: "x".repeat(16) } }), /is wrong, or somebody/);
});

test("parseToken() takes what `kogge token create` prints", () => {
  deepEqual(parseToken("abcdef.0123456789abcdef"), token);
  for (const text of ["", "abcdef", "abcdef.short", "ABCDEF.0123456789abcdef"]) {
    throws(() => parseToken(text), /it looks like abcdef\.0123456789abcdef/);
  }
});

test("explainFailure() says what to do", () => {
  const failed = (code: string): Error =>
    new Error("Cannot reach the API server", { cause: Object.assign(new Error("x"), { code }) });
  const cases: readonly [string, RegExp, boolean][] = [
    ["ECONNREFUSED", /nothing listens there; start the server with --host/, true],
    ["ENOTFOUND", /nobody knows that name/, true],
    ["CERT_NOT_YET_VALID", /set the clock/, false],
    ["SELF_SIGNED_CERT_IN_CHAIN", /not of the cluster that this node joined/, false],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /--advertise-address/, false],
  ];
  for (const [code, advice, later] of cases) {
    equal(advice.test(explainFailure(failed(code), "https://s").message), true, code);
    equal(isUnreachable(failed(code)), later, code);
  }
});
