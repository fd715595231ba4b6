import { addressIn } from "#network/ip-range.ts";
import type { Run } from "#network/run.ts";

export interface DeviceOptions {
  readonly device: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly run: Run;
}

/**
 * An interface with nothing plugged in that holds the node's address in the pod network, so that the address is there
 * before the first pod. Services are routed to it: thus the host reaches them without a default route too, and with
 * that address as its own. Pod addresses that nobody has are unreachable instead of leaving the machine.
 */
export async function ensureDevice(options: DeviceOptions): Promise<void> {
  const { device, podCidr, serviceCidr, run } = options;
  const ip = addressIn(podCidr, 1);
  if (!(await hasDevice(device, run))) await run("ip", ["link", "add", device, "type", "bridge"]);
  await run("ip", ["address", "replace", `${ip}/32`, "dev", device]);
  await run("ip", ["link", "set", device, "up"]);
  await run("ip", ["route", "replace", serviceCidr, "dev", device, "src", ip]);
  await run("ip", ["route", "replace", "unreachable", podCidr]);
}

/** Removes the interface with its addresses and routes, and the cables of pods that nobody unplugged. */
export async function removeDevice(options: Omit<DeviceOptions, "serviceCidr">): Promise<void> {
  const { device, podCidr, run } = options;
  const routes = await run("ip", ["-4", "route", "show", "root", podCidr]);
  for (const [, cable] of routes.matchAll(/ dev (veth\S+)/g)) {
    await removeLink(cable ?? "", run);
  }
  await removeLink(device, run);
  const unreachable = await run("ip", ["-4", "route", "show", "type", "unreachable", podCidr]);
  if (unreachable !== "") await run("ip", ["route", "delete", "unreachable", podCidr]);
}

async function removeLink(name: string, run: Run): Promise<void> {
  if (await hasDevice(name, run)) await run("ip", ["link", "delete", name]);
}

async function hasDevice(name: string, run: Run): Promise<boolean> {
  const all = await run("ip", ["-o", "link", "show"]);
  return all.split("\n").some((line) => line.split(/[:@] ?/)[1] === name);
}
