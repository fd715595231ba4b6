import type { Device, DeviceAttribute, DeviceCapacity } from "#api/generated/types.ts";
import type { DriverDevices } from "#agent/simulated/node-groups.ts";
import { amountOf, expect, fieldsOf, isWhole, onlyFields } from "#agent/simulated/read-fields.ts";

/** A driver's devices on one node: what a resource slice can hold. */
const devicesMax = 128;

/** Devices that the nodes of a group have, by driver. Throws with the path of the field that is wrong. */
export function readDevices(given: readonly unknown[], path: string): readonly DriverDevices[] {
  const byDriver = new Map<string, Device[]>();
  for (const [index, one] of given.entries()) {
    const at = `${path}[${index}]`;
    const { driver, devices } = readAlike(one, at);
    const known = byDriver.get(driver) ?? [];
    known.push(...devices);
    expect(known.length <= devicesMax, at, `a driver has at most ${devicesMax} devices on a node`);
    const names = new Set(known.map(({ name }) => name));
    expect(names.size === known.length, `${at}.name`, "is there twice for the driver");
    byDriver.set(driver, known);
  }
  return [...byDriver].map(([driver, devices]) => ({ driver, devices }));
}

/** So many devices that differ in their number only: `NAME-0`, `NAME-1`, … */
function readAlike(value: unknown, path: string): DriverDevices {
  const given = fieldsOf(value, path);
  onlyFields(given, ["driver", "name", "count", "attributes", "capacity"], path);
  const { driver, name = "device", count = 1 } = given;
  const isDriver =
    typeof driver === "string" && /^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$/.test(driver);
  expect(isDriver, `${path}.driver`, "must be a name such as gpu.example.com");
  const isName = typeof name === "string" && /^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/.test(name);
  expect(isName, `${path}.name`, "must be lower-case letters, digits and -, at most 52");
  const isCount = isWhole(count) && count > 0 && count <= devicesMax;
  expect(isCount, `${path}.count`, `must be a whole number from 1 to ${devicesMax}`);
  const attributes = readAttributes(given["attributes"] ?? {}, `${path}.attributes`);
  const capacity = readCapacity(given["capacity"] ?? {}, `${path}.capacity`);
  const devices = Array.from({ length: count as number }, (_, index) => ({
    name: `${name as string}-${index}`,
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(Object.keys(capacity).length > 0 && { capacity }),
  }));
  return { driver: driver as string, devices };
}

function readAttributes(value: unknown, path: string): Readonly<Record<string, DeviceAttribute>> {
  const given = Object.entries(fieldsOf(value, path));
  return Object.fromEntries(
    given.map(([name, one]) => [name, attributeOf(one, `${path}.${name}`)]),
  );
}

function attributeOf(value: unknown, path: string): DeviceAttribute {
  if (typeof value === "string") return { string: value };
  if (typeof value === "boolean") return { bool: value };
  if (isWhole(value)) return { int: value };
  const rule = "must be text, a whole number, true, false or { version: 1.2.3 }";
  expect(typeof value === "object" && value !== null, path, rule);
  const fields = fieldsOf(value, path);
  onlyFields(fields, ["version"], path);
  const { version } = fields;
  const isVersion = typeof version === "string" && /^\d+\.\d+\.\d+([-+].*)?$/.test(version);
  expect(isVersion, `${path}.version`, "must be a version such as 1.2.3");
  return { version: version as string };
}

function readCapacity(value: unknown, path: string): Readonly<Record<string, DeviceCapacity>> {
  const given = Object.entries(fieldsOf(value, path));
  return Object.fromEntries(
    given.map(([name, amount]) => {
      amountOf(amount, `${path}.${name}`);
      return [name, { value: String(amount as string | number) }];
    }),
  );
}
