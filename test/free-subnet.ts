import { networkInterfaces } from "node:os";
import { systemRandom } from "#base/random.ts";

/**
 * A range of addresses for a test's pods, as `10.213.7.0/24`, that no interface of this machine has. What a killed run
 * left on the machine does not reach a later one: with equal addresses, the older pod's route would take the traffic.
 */
export function freeSubnet(): string {
  const used = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const free = Array.from({ length: 256 }, (_, index) => `10.213.${index}.`).filter((prefix) =>
    used.every(({ address }) => !address.startsWith(prefix)),
  );
  const prefix = free[Math.floor(systemRandom() * free.length)];
  if (prefix === undefined) {
    throw new Error("No free subnet in 10.213.0.0/16: `ip link` lists what killed tests left");
  }
  return `${prefix}0/24`;
}
