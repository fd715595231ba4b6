import { randomBytes } from "node:crypto";
import { createEncryptedStore } from "#apiserver/encryption/encrypted-store.ts";
import { createSealing } from "#apiserver/encryption/sealer.ts";
import { aesGcmSealer } from "#apiserver/node/encryption/aes-sealers.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import type { Store } from "#storage/store.ts";
import { createTestServer, requestOf } from "#test/api-server.ts";

/** Secrets of 1 KB through the whole API server in this process, with and without encryption in the store. */
const count = 4_000;
const rounds = 6;
const data = { password: randomBytes(768).toString("base64") };

const sealing = createSealing([
  {
    matches: (_, resource) => resource === "secrets",
    sealers: [aesGcmSealer("k", randomBytes(32))],
  },
]);
const stores: Readonly<Record<string, () => Store>> = {
  "as it is": () => createMemoryStore(),
  encrypted: () => createEncryptedStore(createMemoryStore(), () => sealing),
};

const best = new Map<string, { create: number; get: number; load: number }>();
for (let round = 0; round < rounds; round += 1) {
  for (const [name, open] of Object.entries(stores)) {
    const rates = await measure(open());
    const known = best.get(name) ?? { create: 0, get: 0, load: 0 };
    best.set(name, {
      create: Math.max(known.create, rates.create),
      get: Math.max(known.get, rates.get),
      load: Math.max(known.load, rates.load),
    });
  }
}
const plain = best.get("as it is");
console.log("secrets     creates/s  ratio     gets/s  ratio    loaded/s  ratio");
for (const [name, rates] of best) {
  const columns = (["create", "get", "load"] as const).map(
    (act) =>
      String(Math.round(rates[act])).padStart(11) +
      (rates[act] / (plain?.[act] ?? 1)).toFixed(2).padStart(7),
  );
  console.log(name.padEnd(10) + columns.join(""));
}

async function measure(store: Store) {
  const rates = { create: 0, get: 0, load: 0 };
  {
    await using server = await createTestServer({ store });
    rates.create = await rate(async (name) => {
      const body = { apiVersion: "v1", kind: "Secret", metadata: { name }, data };
      const { status } = await server.send("POST", "/api/v1/namespaces/default/secrets", { body });
      if (status !== 201) throw new Error(`Cannot create: ${status}`);
    });
    rates.get = await rate(async (name) => {
      await server.server.handle(requestOf("GET", `/api/v1/namespaces/default/secrets/${name}`));
    });
  }
  const start = performance.now();
  await using _ = await createTestServer({ store });
  rates.load = count / ((performance.now() - start) / 1_000);
  return rates;
}

async function rate(act: (name: string) => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < count; at += 1) await act(`secret-${at}`);
  return count / ((performance.now() - start) / 1_000);
}
