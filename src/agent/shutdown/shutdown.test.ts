import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { usualSettings } from "#agent/node/node-settings.ts";
import { planShutdown, shutdownGroups } from "#agent/shutdown/plan-shutdown.ts";
import { shutDownNode } from "#agent/shutdown/shut-down-node.ts";
import { shutdownBegins, watchShutdown } from "#agent/shutdown/watch-shutdown.ts";
import type { Pod } from "#api/generated/types.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";

function podOf(name: string, priority: number): Pod {
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { priority, containers: [] } };
}

test("planShutdown() ends pods by priority, critical ones last", () => {
  const names = (settings: object): unknown =>
    planShutdown(shutdownGroups({ ...usualSettings, ...settings }), [
      podOf("critical", 2_000_001_000),
      podOf("usual", 0),
      podOf("low", -10),
      podOf("high", 1000),
    ]).map(({ graceSeconds, pods }) => [graceSeconds, pods.map(({ metadata }) => metadata.name)]);
  deepEqual(names({}), []);
  deepEqual(names({ shutdownGracePeriod: "30s", shutdownGracePeriodCriticalPods: "10s" }), [
    [20, ["usual", "low", "high"]],
    [10, ["critical"]],
  ]);
  const shutdownGracePeriodByPodPriority = [
    { priority: 1000, shutdownGracePeriodSeconds: 60 },
    { priority: 0, shutdownGracePeriodSeconds: 5 },
  ];
  deepEqual(names({ shutdownGracePeriodByPodPriority }), [
    [5, ["usual", "low"]],
    [60, ["critical", "high"]],
  ]);
});

test("shutDownNode() begins with the next group when one has ended, or its time is over", async () => {
  const told: string[] = [];
  await shutDownNode({
    clock: systemClock,
    log: silentLog,
    groups: [
      { priority: 0, graceSeconds: 0.01 },
      { priority: 5, graceSeconds: 1000 },
    ],
    pods: () => [podOf("slow", 0), podOf("quick", 9)],
    async end(pod, { reason, graceSeconds }) {
      told.push(`${pod.metadata.name} ${reason} ${graceSeconds}`);
      if (pod.metadata.name === "slow") await new Promise(() => {});
    },
  });
  deepEqual(told, ["slow Terminated 0.01", "quick Terminated 1000"]);
});

test("watchShutdown() holds the machine until the work is done", async () => {
  const signal =
    '{"type":"signal","member":"PrepareForShutdown","payload":{"type":"b","data":[true]}}';
  equal(shutdownBegins(signal), true);
  equal(shutdownBegins(signal.replace("true", "false")), false);
  equal(shutdownBegins("garbage"), undefined);
  equal(shutdownBegins('{"member":"SessionNew","payload":{"data":[true]}}'), undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  const hold = setTimeout(() => {}, 10_000);
  using _watch = watchShutdown({
    log: silentLog,
    onShutdown: async () => resolve(),
    onCancel() {},
    programs: {
      monitor: ["sh", "-c", `echo '${signal}'; exec sleep 100`],
      inhibit: ["sleep", "100"],
    },
  });
  await promise;
  clearTimeout(hold);
});
