import assert from "node:assert/strict";
import { createDecipheriv, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { readEncryptionConfiguration } from "#apiserver/encryption/configuration.ts";
import { createEncryptedStore } from "#apiserver/encryption/encrypted-store.ts";
import { rewriteStale } from "#apiserver/encryption/rewrite.ts";
import { asItIs, createSealing } from "#apiserver/encryption/sealer.ts";
import { aesCbcSealer, aesGcmSealer } from "#apiserver/node/encryption/aes-sealers.ts";
import { kmsMethods } from "#apiserver/node/encryption/kms-messages.ts";
import { openSealing } from "#apiserver/node/encryption/open-sealing.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { openLmdbStore } from "#storage/node/lmdb-store.ts";
import { conformanceBacklogMax, storeConformance } from "#storage/store-conformance.ts";
import { createTestServer } from "#test/api-server.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);
const never = new AbortController().signal;
const parts = { clock: systemClock, log: silentLog };
const secretKey = "/registry/core/secrets/default/db";

storeConformance("encrypted memory", async () => {
  const rule = { matches: () => true, sealers: [aesGcmSealer("one", randomBytes(32))] };
  const sealing = createSealing([rule]);
  return createEncryptedStore(
    createMemoryStore({ backlogMax: conformanceBacklogMax }),
    () => sealing,
  );
});

test("sealed values have upstream's form and open only in their place", () => {
  const key = randomBytes(32);
  const gcm = createSealing([{ matches: () => true, sealers: [aesGcmSealer("k", key)] }]);
  const stored = gcm.seal(secretKey, bytes("value"));
  assert.equal(text(stored.subarray(0, 20)), "k8s:enc:aesgcm:v1:k:");
  const sealed = stored.subarray(20);
  const cipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
  cipher.setAAD(bytes(secretKey)).setAuthTag(sealed.subarray(-16));
  assert.equal(text(cipher.update(sealed.subarray(12, -16))), "value");
  assert.throws(() => gcm.open(`${secretKey}2`, stored), {
    message: `Cannot read "${secretKey}2": k8s:enc:aesgcm:v1:k does not open it`,
  });
  const cbc = createSealing([{ matches: () => true, sealers: [aesCbcSealer("k", key)] }]);
  const other = cbc.seal(secretKey, bytes("value"));
  assert.match(text(other), /^k8s:enc:aescbc:v1:k:/);
  assert.equal(text(cbc.open(secretKey, other) as Uint8Array), "value");
  assert.throws(() => gcm.open(secretKey, other), /it was encrypted by k8s:enc:aescbc:v1:k, which/);
  assert.throws(() => gcm.open(secretKey, bytes("{}")), /does not name the identity provider/);
});

test("secretbox opens what NaCl sealed, and nothing that was changed; what AES sealed is written again with it", async () => {
  const secret = (hex: string): { name: string; secret: string } => ({
    name: "k",
    secret: Buffer.from(hex, "hex").toString("base64"),
  });
  // The test vector of NaCl's crypto_secretbox.
  const key = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";
  const nonce = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
  const value =
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705";
  const sealed =
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5";
  const aesgcm = { keys: [{ ...secret(key), name: "old" }] };
  const providers = [{ secretbox: { keys: [secret(key)] } }, { aesgcm }];
  using sealing = await openSealing(configuration(["secrets"], ...providers), parts);
  const stored = Buffer.concat([
    bytes("k8s:enc:secretbox:v1:k:"),
    Buffer.from(nonce + sealed, "hex"),
  ]);
  assert.equal(Buffer.from(await sealing.open(secretKey, stored)).toString("hex"), value);
  const changed = Buffer.from(stored);
  changed[changed.length - 1]! ^= 1;
  for (const broken of [changed, stored.subarray(0, -1), stored.subarray(0, 30)]) {
    assert.throws(() => sealing.open(secretKey, broken), {
      message: `Cannot read "${secretKey}": k8s:enc:secretbox:v1:k does not open it`,
    });
  }
  const raw = createMemoryStore();
  using before = await openSealing(configuration(["secrets"], { aesgcm }), parts);
  await createEncryptedStore(raw, () => before).put(secretKey, bytes("{}"), 0);
  assert.equal(await rewriteStale(raw, sealing, never), 1);
  assert.match(text((await raw.get(secretKey))?.value), /^k8s:enc:secretbox:v1:k:/);
  const store = createEncryptedStore(raw, () => sealing);
  assert.equal(text((await store.get(secretKey))?.value), "{}");
});

test("rewriteStale() writes what other keys sealed, once, and old keys are needed no more", async () => {
  const raw = createMemoryStore();
  const [one, two] = [aesGcmSealer("one", randomBytes(32)), aesGcmSealer("two", randomBytes(16))];
  const secrets = (group: string, resource: string): boolean => `${group}${resource}` === "secrets";
  const sealingOf = (...sealers: (typeof one)[]) => createSealing([{ matches: secrets, sealers }]);
  let sealing = sealingOf(one, asItIs);
  await raw.put(secretKey, bytes("{plain}"), 0);
  const store = createEncryptedStore(raw, () => sealing);
  await store.put(`${secretKey}2`, bytes("{sealed}"), 0);
  await store.put("/registry/core/configmaps/default/c", bytes("{map}"), 0);
  sealing = sealingOf(two, one, asItIs);
  assert.equal(await rewriteStale(raw, sealing, never), 2);
  assert.equal(await rewriteStale(raw, sealing, never), 0);
  sealing = sealingOf(two);
  const { entries } = await store.list({ start: "", end: "" });
  assert.deepEqual(
    entries.map(({ value }) => text(value)),
    ["{map}", "{plain}", "{sealed}"],
  );
  assert.match(text((await raw.get(secretKey))?.value), /^k8s:enc:aesgcm:v1:two:/);
  assert.equal(text((await raw.get("/registry/core/configmaps/default/c"))?.value), "{map}");
});

test("a Secret's value is nowhere in the store's files; a ConfigMap's is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kogge-encrypted-"));
  try {
    const keys = [{ name: "key1", secret: randomBytes(32).toString("base64") }];
    const sealing = await openSealing(configuration(["secrets"], { aesgcm: { keys } }), parts);
    {
      await using lmdb = await openLmdbStore({ directory });
      const store = createEncryptedStore(lmdb, () => sealing);
      await using server = await createTestServer({ store });
      const put = async (kind: string, path: string, data: string): Promise<void> => {
        const object = {
          apiVersion: "v1",
          kind,
          metadata: { name: "db" },
          data: { password: data },
        };
        const made = await server.send("POST", `/api/v1/namespaces/default/${path}`, {
          body: object,
        });
        assert.equal(made.status, 201);
      };
      await put("Secret", "secrets", btoa("correct horse"));
      await put("ConfigMap", "configmaps", "battery staple");
      const read = await server.send("GET", "/api/v1/namespaces/default/secrets/db");
      assert.deepEqual(read.body.data, { password: btoa("correct horse") });
      const watch = await server.watch("/api/v1/secrets?watch=1&resourceVersion=1");
      assert.deepEqual((await watch.next())?.object.data, { password: btoa("correct horse") });
      watch.close();
    }
    const file = readFileSync(join(directory, "data.mdb"));
    const found = ["battery staple", "correct horse", btoa("correct horse"), "password"].map(
      (word) => file.includes(word),
    );
    assert.deepEqual(found, [true, false, false, true]);
    assert.ok(file.includes("k8s:enc:aesgcm:v1:key1:"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("readEncryptionConfiguration() names every problem and shows no secret", () => {
  const file = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [
      {
        resources: ["Secrets", "*"],
        providers: [
          {
            aesgcm: {
              keys: [
                { name: "a", secret: "c2VjcmV0" },
                { name: "a", secret: "%%" },
              ],
            },
          },
          { identity: {}, aescbc: {} },
          { secretbox: { keys: [{ name: "s", secret: btoa("sixteen letters.") }] } },
          { kms: { apiVersion: "v1", name: "x:y", endpoint: "tcp://1" } },
        ],
      },
      { resources: [], providers: [] },
    ],
  };
  let message = "";
  try {
    readEncryptionConfiguration(file);
  } catch (error) {
    message = (error as Error).message;
  }
  assert.deepEqual(message.replace(/^.*?: /, "").split("; "), [
    'resources[0].resources[0]: Invalid value: "Secrets": resource name should not contain capital letters',
    "resources[0].resources[1]: Invalid value: \"*\": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
    'resources[0].providers[0].aesgcm.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 6, expected one of [16 24 32]',
    'resources[0].providers[0].aesgcm.keys[1].secret: Invalid value: "REDACTED": secrets must be base64 encoded',
    'resources[0].providers[0].aesgcm.keys: Duplicate value: "a"',
    "resources[0].providers[1]: Invalid value: more than one provider specified in a single element, should split into different list elements",
    'resources[0].providers[2].secretbox.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 16, expected one of [32]',
    "resources[0].providers[3].kms.apiVersion: only version v2 of the KMS protocol is spoken here",
    "resources[0].providers[3].kms.name: Invalid value: invalid KMS provider name x:y, must not contain ':'",
    'resources[0].providers[3].kms.endpoint: Invalid value: "tcp://1": unsupported scheme for KMS provider, only unix is supported',
    "resources[1].resources: Required value: at least one resources[].resources is required",
    "resources[1].providers: Required value: at least one provider is required",
  ]);
});

test("wildcards match as upstream's do, and the first entry that matches holds", async () => {
  const keys = [{ name: "k", secret: randomBytes(16).toString("base64") }];
  const sealing = await openSealing(
    readEncryptionConfiguration({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "EncryptionConfiguration",
      resources: [
        { resources: ["events"], providers: [{ identity: {} }] },
        { resources: ["*.apps", "*."], providers: [{ aesgcm: { keys } }] },
      ],
    }),
    parts,
  );
  const sealed = (place: string): boolean =>
    text(sealing.seal(`/registry/${place}/default/x`, bytes("{}"))).startsWith("k8s:enc:");
  const places = ["core/events", "core/pods", "apps/deployments", "batch/jobs"];
  assert.deepEqual(places.map(sealed), [false, true, true, false]);
});

test("a KMS v2 plugin seals; another start asks it for the seed once; it may change its key", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kogge-kms-"));
  const endpoint = `unix://${join(directory, "kms.sock")}`;
  const plugin = await startPlugin(endpoint);
  try {
    const kms = { kms: { apiVersion: "v2", name: "vault", endpoint } };
    const raw = createMemoryStore();
    {
      using sealing = await openSealing(configuration(["secrets"], kms), parts);
      const store = createEncryptedStore(raw, () => sealing);
      for (let at = 0; at < 5; at += 1) await store.put(`${secretKey}${at}`, bytes(`{${at}}`), 0);
      assert.deepEqual(plugin.calls, { Status: 1, Encrypt: 1, Decrypt: 0 });
    }
    plugin.state.key = "second";
    using sealing = await openSealing(configuration(["secrets"], kms), parts);
    const store = createEncryptedStore(raw, () => sealing);
    const { entries } = await store.list({ start: "", end: "" });
    assert.deepEqual(
      entries.map(({ value }) => text(value)),
      ["{0}", "{1}", "{2}", "{3}", "{4}"],
    );
    assert.deepEqual(plugin.calls, { Status: 2, Encrypt: 2, Decrypt: 1 });
    assert.match(text((await raw.get(`${secretKey}0`))?.value), /^k8s:enc:kms:v2:vault:/);
    assert.equal(await rewriteStale(raw, sealing, never), 5, "its key is another one now");
  } finally {
    plugin.stop();
    rmSync(directory, { recursive: true });
  }
  const away = openSealing(
    configuration(["secrets"], { kms: { apiVersion: "v2", name: "v", endpoint, timeout: "1s" } }),
    parts,
  );
  await assert.rejects(away, /^Error: Cannot use the KMS provider "v" at unix:/);
});

function configuration(resources: readonly string[], ...providers: readonly object[]) {
  return readEncryptionConfiguration({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources, providers: [...providers, { identity: {} }] }],
  });
}

/** A plugin over a real socket; its "encryption" turns the bytes round. */
async function startPlugin(endpoint: string) {
  const calls = { Status: 0, Encrypt: 0, Decrypt: 0 };
  const state = { key: "first" };
  const service: Record<string, unknown> = {};
  for (const name of Object.keys(calls))
    service[name] = kmsMethods.get(`v2.KeyManagementService/${name}`);
  const answer =
    (name: keyof typeof calls, of: (request: Record<string, Buffer>) => object) =>
    (
      call: { request: Record<string, Buffer> },
      done: (error: null, answer: object) => void,
    ): void => {
      calls[name] += 1;
      done(null, of(call.request));
    };
  const turned = (value: Buffer | undefined): Buffer => Buffer.from(value ?? []).reverse();
  const server = new Server();
  server.addService(
    service as ServiceDefinition,
    {
      Status: answer("Status", () => ({ version: "v2", healthz: "ok", keyId: state.key })),
      Encrypt: answer("Encrypt", ({ plaintext }) => ({
        ciphertext: turned(plaintext),
        keyId: state.key,
        annotations: { "kms.example.com/a": Buffer.from("b") },
      })),
      Decrypt: answer("Decrypt", ({ ciphertext }) => ({ plaintext: turned(ciphertext) })),
    } as UntypedServiceImplementation,
  );
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(
      endpoint.replace("unix://", "unix:"),
      ServerCredentials.createInsecure(),
      (error) => (error ? reject(error) : resolve()),
    ),
  );
  return { calls, state, stop: () => server.forceShutdown() };
}
