import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";

/** What a test may need of the machine. */
export type Need =
  | "linux"
  | "root"
  | "containerd"
  | "cni"
  | "nft"
  | "buildah"
  | "mmdebstrap"
  | "busybox"
  | "etcd"
  | "slapd"
  | "docker-registry"
  | "npm-registry"
  | "clients";

/**
 * For `test(name, { skip: missing("root", "containerd") }, …)`: false when all is there, else the reason, which the
 * runner counts and prints.
 */
export function missing(...needs: readonly Need[]): string | false {
  const absent = needs.filter((need) => !isThere(need));
  return absent.length === 0 ? false : `needs ${absent.join(", ")}`;
}

const found = new Map<Need, boolean>();

function isThere(need: Need): boolean {
  const known = found.get(need);
  if (known !== undefined) return known;
  const there = probe(need);
  found.set(need, there);
  return there;
}

function probe(need: Need): boolean {
  switch (need) {
    case "linux":
      return process.platform === "linux";
    case "root":
      return process.getuid?.() === 0;
    case "cni":
      return existsSync("/usr/lib/cni/bridge");
    case "npm-registry":
      return spawnSync("npm", ["view", "lmdb", "version"], { stdio: "ignore" }).status === 0;
    case "clients":
      return hasCommand("unzip");
    default:
      return hasCommand(need);
  }
}

function hasCommand(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" }).status === 0;
}
