import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { DeviceHealth } from "#agent/dynamic-resources/device-health.ts";
import type { ReportedHealth } from "#agent/dynamic-resources/dra-plugin.ts";
import { TestClock } from "#test/api-server.ts";

function report(deviceName: string, health: ReportedHealth["health"], timeoutSeconds = 0) {
  return { poolName: "p", deviceName, health, message: "", timeoutSeconds };
}

test("a report of health counts until it is old, and changes are told once", () => {
  const clock = new TestClock();
  const changes: string[] = [];
  const onChange = (driver: string, devices: ReadonlySet<string>): void =>
    void changes.push(`${driver} ${[...devices].toSorted().join()}`);
  using health = new DeviceHealth({ clock, onChange });
  const healths = (): readonly string[] =>
    ["p/a", "p/b"].map((device) => health.of("d", device).health);
  deepEqual(healths(), ["Unknown", "Unknown"]);
  health.report("d", [report("a", "Healthy"), report("b", "Unhealthy", 60)]);
  health.report("d", [report("a", "Healthy"), report("b", "Unhealthy", 60)]);
  deepEqual(healths(), ["Healthy", "Unhealthy"]);
  deepEqual(changes.splice(0), ["d p/a,p/b"]);
  clock.advance(30_000);
  deepEqual([healths(), changes.splice(0)], [["Unknown", "Unhealthy"], ["d p/a"]]);
  health.report("d", [report("a", "Healthy")]);
  clock.advance(30_000);
  deepEqual(
    [healths(), changes.splice(0)],
    [
      ["Unknown", "Unknown"],
      ["d p/a", "d p/a,p/b"],
    ],
  );
  health.report("d", [{ ...report("a", "Unhealthy"), message: "x".repeat(2000) }]);
  deepEqual(health.of("d", "p/a").message, `${"x".repeat(1021)}...`);
  health.forget("d");
  deepEqual(
    [healths(), changes],
    [
      ["Unknown", "Unknown"],
      ["d p/a", "d p/a"],
    ],
  );
});
