import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device } from "#api/generated/types.ts";
import { compileDeviceSelector } from "#api/cel/devices/device-selector.ts";

const device: Device = {
  name: "gpu-0",
  attributes: {
    model: { string: "a100" },
    cores: { int: 64 },
    healthy: { bool: true },
    driverVersion: { version: "2.1.0" },
    "vendor.example.com/zone": { string: "left" },
  },
  capacity: { memory: { value: "40Gi" } },
};

function asked(expression: string): boolean | string {
  const { selector, error } = compileDeviceSelector(expression);
  if (selector === undefined) return error;
  try {
    return selector.matches(device, "gpu.example.com");
  } catch (problem) {
    return (problem as Error).message;
  }
}

test("a selector sees driver, attributes and capacity of a device as upstream's does", () => {
  const cases: readonly (readonly [string, boolean | string])[] = [
    [`device.driver == "gpu.example.com"`, true],
    [`device.attributes["gpu.example.com"].model == "a100"`, true],
    [`device.attributes["gpu.example.com"].cores > 100`, false],
    [`device.attributes["gpu.example.com"].healthy`, true],
    [`device.attributes["gpu.example.com"].driverVersion.isGreaterThan(semver("2.0.0"))`, true],
    [`device.attributes["vendor.example.com"].zone == "left"`, true],
    [`device.capacity["gpu.example.com"].memory.compareTo(quantity("32Gi")) >= 0`, true],
    [`device.allowMultipleAllocations`, false],
    [`has(device.attributes["other.example.com"].model)`, false],
    [`"other.example.com" in device.attributes`, true],
    [`device.attributes["other.example.com"].model == "x"`, "no such key: model"],
    [
      `cel.bind(gpu, device.attributes["gpu.example.com"], gpu.cores == 64 && gpu.model == "a100")`,
      true,
    ],
    [`device.driver`, "must evaluate to bool or the unknown type, not string"],
  ];
  assert.deepEqual(
    cases.map(([expression]) => [expression, asked(expression)]),
    cases,
  );
});

test("a selector that names what no device has, or that costs too much, is told apart when it is compiled", () => {
  assert.match(String(asked("device.colour == 'red'")), /undefined field 'colour'/);
  const costly = `device.attributes.all(d, device.attributes.all(e, device.attributes.all(f,
    device.attributes.all(g, device.attributes[d].all(n, n == e && f == g)))))`;
  const [cheap, dear] = ["device.driver == 'x'", costly].map(
    (expression) => compileDeviceSelector(expression).selector?.costMax ?? 0,
  );
  assert.deepEqual([(cheap ?? 0) < 1_000_000, (dear ?? 0) > 1_000_000], [true, true]);
});
