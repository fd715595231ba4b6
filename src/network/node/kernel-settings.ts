import { readlinkSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, type Log } from "#base/log.ts";

/** Settings of the kernel that a node needs, by their path below `/proc/sys/net/ipv4`. */
const needed = {
  ip_forward: "1",
  // Lets node ports answer on 127.0.0.1; the table keeps others from reaching loopback addresses.
  "conf/all/route_localnet": "1",
} as const;

const settings = "/proc/sys/net/ipv4";

/** Where all clusters of this network namespace remember what was there before the first of them. */
export const rememberedIn = join("/run/kogge", networkNamespace());

/** `net-4026531840`; the settings are each namespace's own. */
function networkNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/net").replace(/\W+/g, "-").replace(/-$/, "");
  } catch {
    return "net";
  }
}

/** Switches on what a node needs and keeps in `directory` what was there before. */
export async function applyKernelSettings(directory: string, log: Log): Promise<void> {
  const before = await remembered(directory);
  for (const [name, value] of Object.entries(needed)) {
    const present = (await readFile(join(settings, name), "utf8")).trim();
    if (present === value) continue;
    await remember(directory, { ...before, [name]: present });
    before[name] = present;
    try {
      await writeFile(join(settings, name), value);
    } catch (cause) {
      if (name === "ip_forward") {
        throw new Error("Cannot switch on the forwarding of packets between pods", { cause });
      }
      log.warn("node ports do not answer on 127.0.0.1", { reason: messageOf(cause) });
    }
  }
}

/** Puts back what was there before the first `applyKernelSettings`, and forgets it. */
export async function restoreKernelSettings(directory: string): Promise<void> {
  for (const [name, value] of Object.entries(await remembered(directory))) {
    if (name in needed) await writeFile(join(settings, name), value);
  }
  await rm(fileIn(directory), { force: true });
}

function fileIn(directory: string): string {
  return join(directory, "kernel-settings.json");
}

async function remembered(directory: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(fileIn(directory), "utf8")) as Record<string, string>;
  } catch (error) {
    // Half a file is as good as none: it is written before anything is changed.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT")
      return {};
    throw error;
  }
}

async function remember(directory: string, values: Record<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(fileIn(directory), JSON.stringify(values));
}
