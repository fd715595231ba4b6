import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { configMaps } from "#api/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { KubeObject } from "#api/meta.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { startControlPlane } from "#main/control-plane.ts";

const configurations: Resource<KubeObject> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingWebhookConfiguration",
  resource: "validatingwebhookconfigurations",
  namespaced: false,
};

const everything = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "everything" },
  webhooks: [
    {
      name: "everything.example.com",
      clientConfig: { url: "https://127.0.0.1:1/" },
      rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: ["*"] }],
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    },
  ],
};

test("a webhook that fails for everything does not keep the server from starting", async () => {
  await using store = createMemoryStore();
  const pki = createMemoryPki(Date.now());
  const start = () =>
    startControlPlane({
      store,
      pki,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      host: "127.0.0.1",
      port: 0,
      advertiseIp: "127.0.0.1",
      serverNames: [],
      serverIps: [],
      serviceCidr: "10.96.0.0/16",
      podCidr: "10.244.0.0/16",
    });
  const first = await start();
  await first.client.create(configurations, everything);
  await first[Symbol.asyncDispose]();
  await using second = await start();
  const map = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x", namespace: "default" },
  };
  await assert.rejects(
    second.client.create(configMaps, map),
    /failed calling webhook "everything\.example\.com"/,
  );
  await second.client.delete(configurations, { name: "everything" });
});
