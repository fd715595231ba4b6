import type { CapacityRequirements, Device, DeviceCapacity } from "#api/generated/types.ts";
import { compareQuantities, readQuantity, type Quantity } from "#api/quantity.ts";

/**
 * What a request takes of each of the device's capacities: what it asks for, brought to what the capacity's policy
 * allows. Undefined where the device does not have it or the policy forbids it.
 */
export function consumedCapacity(
  { capacity = {} }: Device,
  requirements: CapacityRequirements | undefined,
): ReadonlyMap<string, Quantity> | undefined {
  const requests = requirements?.requests ?? {};
  if (Object.keys(requests).some((name) => !Object.hasOwn(capacity, name))) return undefined;
  const consumed = new Map<string, Quantity>();
  for (const [name, one] of Object.entries(capacity)) {
    const asked = Object.hasOwn(requests, name) ? requests[name] : undefined;
    const amount = consumedOf(one, asked);
    if (amount === undefined) return undefined;
    consumed.set(name, amount);
  }
  return consumed;
}

function consumedOf(
  { value, requestPolicy }: DeviceCapacity,
  asked: string | undefined,
): Quantity | undefined {
  if (asked === undefined) return amountOf(requestPolicy?.default ?? value);
  const wanted = amountOf(asked);
  if (requestPolicy === undefined) return wanted;
  const { default: usual, validRange, validValues } = requestPolicy;
  if (usual !== undefined && compareQuantities(amountOf(usual), wanted) === 0) return wanted;
  if (validRange) {
    const rounded = roundedUp(wanted, amountOf(validRange.min), validRange.step);
    const { max } = validRange;
    const isTooMuch = max !== undefined && compareQuantities(rounded, amountOf(max)) > 0;
    return isTooMuch ? undefined : rounded;
  }
  if (!validValues?.length) return wanted;
  return validValues.map(amountOf).find((one) => compareQuantities(wanted, one) <= 0);
}

/** The next amount that is a whole number of steps above the least. */
function roundedUp(wanted: Quantity, min: Quantity, step: string | undefined): Quantity {
  if (compareQuantities(wanted, min) <= 0) return min;
  const width = step === undefined ? 0n : amountOf(step).nano;
  if (width <= 0n) return wanted;
  const steps = (wanted.nano - min.nano + width - 1n) / width;
  return { nano: min.nano + steps * width, format: "binary" };
}

/** None where it cannot be read. */
export function amountOf(text: string): Quantity {
  const amount = readQuantity(text);
  return typeof amount === "string" ? { nano: 0n, format: "decimal" } : amount;
}
