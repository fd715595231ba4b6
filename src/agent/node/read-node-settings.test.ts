import { deepEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { parseNodeSettings } from "#agent/node/read-node-settings.ts";

const head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
const parse = (text: string) => parseNodeSettings(Buffer.from(head + text));

test("parseNodeSettings() takes what is heeded and names what is not", () => {
  deepEqual(parse("maxPods: 30\nevictionHard: { memory.available: 200Mi }\nenableServer: true\n"), {
    settings: { maxPods: 30, evictionHard: { "memory.available": "200Mi" } },
    unheeded: ["enableServer"],
  });
});

test("parseNodeSettings() says what is wrong", () => {
  throws(() => parseNodeSettings(Buffer.from("kind: Pod")), /it is no kubelet.config.k8s.io/);
  throws(() => parse("maxPods: many"), /maxPods: Invalid value: "many": must be a number/);
  throws(
    () => parse("kubeReserved: { cpu: 1 }"),
    /kubeReserved: Invalid value: .* must be a object/,
  );
  throws(() => parse("shutdownGracePeriod: soon"), /Cannot read the duration "soon"/);
  throws(() => parse("evictionHard: { cpu.available: 5% }"), /unsupported eviction signal/);
  throws(() => parse("maxParallelImagePulls: 3"), /unless serializeImagePulls is false/);
  throws(() => parse("imageGCLowThresholdPercent: 90"), /must be less than/);
});
