import type { DeviceAttribute, DeviceConstraint } from "#api/generated/types.ts";
import type { PublishedDevice } from "#scheduler/devices/pools.ts";
import type { Wish } from "#scheduler/devices/wishes.ts";

/** Watches over a constraint of a claim while devices are chosen for it. */
export interface ConstraintWatch {
  /** False where the device would break it; otherwise it counts from now on. */
  add(wish: Wish, device: PublishedDevice): boolean;
  /** Takes back the device that was added last. */
  remove(wish: Wish): void;
}

/** A constraint of a kind that is not known is never kept. */
export function watchConstraint(constraint: DeviceConstraint): ConstraintWatch {
  const { matchAttribute, distinctAttribute, requests = [] } = constraint;
  const attribute = matchAttribute ?? distinctAttribute;
  const concerns = ({ name, request }: Wish): boolean =>
    requests.length === 0 || requests.includes(request) || requests.includes(name);
  const values: string[] = [];
  return {
    add(wish, device) {
      if (!concerns(wish)) return true;
      const value = attribute === undefined ? undefined : valueOf(device, attribute);
      if (value === undefined) return false;
      const isSame = values.includes(value);
      if (values.length > 0 && isSame !== (matchAttribute !== undefined)) return false;
      values.push(value);
      return true;
    },
    remove(wish) {
      if (concerns(wish)) values.pop();
    },
  };
}

/** The attribute's value with its type. A driver may leave its own domain out of the name. */
function valueOf({ device, driver }: PublishedDevice, name: string): string | undefined {
  const attributes = device.attributes ?? {};
  const short = name.startsWith(`${driver}/`) ? name.slice(driver.length + 1) : name;
  const found = [name, short].find((one) => Object.hasOwn(attributes, one));
  return found === undefined ? undefined : textOf(attributes[found] ?? {});
}

function textOf({ bool, int, string, version }: DeviceAttribute): string | undefined {
  if (string !== undefined) return `string ${string}`;
  if (int !== undefined) return `int ${int}`;
  if (bool !== undefined) return `bool ${bool}`;
  return version === undefined ? undefined : `version ${version}`;
}
