import { deepEqual, equal } from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import type { ConfigMap, Secret } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { configMaps, secrets } from "#api/resources.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";
import { detachedSignature } from "#controllers/bootstrap/detached-signature.ts";
import { signedData } from "#controllers/bootstrap/signer-controller.ts";

const nowMs = Date.UTC(2030, 0, 1);

const token = (id: string, fields: Readonly<Record<string, string>> = {}): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: `bootstrap-token-${id}`, namespace: "kube-system" },
  data: Object.fromEntries(
    Object.entries({
      "token-id": id,
      "token-secret": "0123456789abcdef",
      "usage-bootstrap-signing": "true",
      ...fields,
    }).map(([name, value]) => [name, btoa(value)]),
  ),
});

test("detachedSignature() is a JWS without its payload", async () => {
  const signature = await detachedSignature("content", { id: "abcdef", secret: "s3cret" });
  const header = Buffer.from('{"alg":"HS256","kid":"abcdef"}').toString("base64url");
  const signed = `${header}.${Buffer.from("content").toString("base64url")}`;
  const own = createHmac("sha256", "s3cret").update(signed).digest("base64url");
  equal(signature, `${header}..${own}`);
});

test("expired tokens are removed, others stay and sign cluster-info", async () => {
  await using cluster = await startCluster(0);
  const { client, informers, until } = cluster;
  const info = { namespace: "kube-public", name: "cluster-info" };
  await client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: info,
    data: { kubeconfig: "content" },
  });
  const type = "bootstrap.kubernetes.io/token";
  await client.create(secrets, { ...token("aaaaaa"), type });
  await client.create(secrets, {
    ...token("bbbbbb", { expiration: "2020-01-01T00:00:00Z" }),
    type,
  });
  await until(() => {
    const names = [...informers.of(secrets).list("kube-system")].map(nameOf);
    const signed = Object.keys(informers.of(configMaps).get(info)?.data ?? {}).toSorted();
    return (
      names.join() === "bootstrap-token-aaaaaa" &&
      signed.join() === "jws-kubeconfig-aaaaaa,kubeconfig"
    );
  });
});

test("signedData() signs with the tokens that may, and takes away what others signed", async () => {
  const map: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "cluster-info", namespace: "kube-public" },
    data: { kubeconfig: "content", other: "kept", "jws-kubeconfig-gonexx": "old" },
  };
  const tokens = [
    token("aaaaaa"),
    token("bbbbbb", { expiration: "2030-01-01T00:00:01Z" }),
    token("cccccc", { expiration: "2029-12-31T23:59:59Z" }),
    token("dddddd", { expiration: "soon" }),
    token("eeeeee", { "usage-bootstrap-signing": "false" }),
    token("ffffff", { "token-id": "aaaaaa" }),
    token("gggggg", { "token-secret": "" }),
  ];
  const signed = await signedData(map, tokens, nowMs);
  deepEqual(Object.keys(signed ?? {}), [
    "kubeconfig",
    "other",
    "jws-kubeconfig-aaaaaa",
    "jws-kubeconfig-bbbbbb",
  ]);
  deepEqual(await signedData({ ...map, data: {} }, tokens, nowMs), undefined);
});
