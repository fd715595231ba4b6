import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";

/** One thing that was looked for on this machine. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "missing" | "limited";
  /** What was found. */
  readonly detail: string;
  /** What does not work without it. */
  readonly neededFor: string;
  /** What to do about it; absent when nothing needs doing or nothing can be done. */
  readonly remedy?: string;
}

/** Looks, changes nothing. `dataRoot` is where a cluster would keep its data. */
export function examineMachine(dataRoot: string): readonly Finding[] {
  const everywhere = [nodeVersion(), diskSpace(dataRoot)];
  if (process.platform !== "linux") return [...everywhere, linux()];
  return [...everywhere, ...forContainers(), ...others()];
}

/** What real containers need; all must be ok for `--runtime containerd`. */
export function forContainers(): readonly Finding[] {
  if (process.platform !== "linux") return [linux()];
  return [
    root(),
    program("containerd", "real containers", "containerd"),
    program("runc", "real containers", "runc"),
    program("ctr", "importing images", "containerd"),
    cniPlugins(),
    program("nft", "services (ClusterIP, NodePort)", "nftables"),
    program("ip", "the pod network", "iproute2"),
    cgroups(),
  ];
}

function others(): readonly Finding[] {
  return [
    program("buildah", "`kogge image build`", "buildah"),
    program("mmdebstrap", "the base image of the sample application", "mmdebstrap"),
    oomScores(),
    bridgeFilter(),
    bpf(),
  ];
}

function nodeVersion(): Finding {
  return { name: "node", state: "ok", detail: process.version, neededFor: "everything" };
}

function linux(): Finding {
  return {
    name: "linux",
    state: "missing",
    detail: `this is ${process.platform}`,
    neededFor: "real containers; simulated nodes work here",
  };
}

const roomyBytes = 2 * 1024 ** 3;

function diskSpace(dataRoot: string): Finding {
  const folder = nearestFolder(dataRoot);
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  const enough = freeBytes >= roomyBytes;
  return {
    name: "disk",
    state: enough ? "ok" : "limited",
    detail: `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free at ${folder}`,
    neededFor: "images and the cluster's state",
    ...(!enough && { remedy: "free some room, or choose another place with --data-dir" }),
  };
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

function root(): Finding {
  const isRoot = process.getuid?.() === 0;
  return {
    name: "root",
    state: isRoot ? "ok" : "missing",
    detail: isRoot ? "running as root" : `running as user ${process.getuid?.()}`,
    neededFor: "real containers",
    ...(!isRoot && { remedy: "run kogge with sudo" }),
  };
}

function program(name: string, neededFor: string, debianPackage: string): Finding {
  const path = findProgram(name);
  if (path === undefined) {
    return {
      name,
      state: "missing",
      detail: "not installed",
      neededFor,
      remedy: `apt-get install ${debianPackage}`,
    };
  }
  const version = spawnSync(path, ["--version"], { encoding: "utf8" })
    .stdout?.split("\n")[0]
    ?.trim();
  return { name, state: "ok", detail: version ? version : path, neededFor };
}

/** Also looks where a root's PATH may not: Debian keeps `nft` and `ip` in sbin. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
  ];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function cniPlugins(): Finding {
  const folder = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"].find((path) =>
    existsSync(join(path, "bridge")),
  );
  const neededFor = "the pod network";
  if (folder !== undefined) return { name: "cni-plugins", state: "ok", detail: folder, neededFor };
  const remedy = "apt-get install containernetworking-plugins";
  return { name: "cni-plugins", state: "missing", detail: "not installed", neededFor, remedy };
}

function cgroups(): Finding {
  const neededFor = "limits of containers";
  if (existsSync("/sys/fs/cgroup/cgroup.controllers")) {
    return { name: "cgroups", state: "ok", detail: "version 2", neededFor };
  }
  const hasOld = existsSync("/sys/fs/cgroup/memory");
  return hasOld
    ? { name: "cgroups", state: "ok", detail: "version 1 or hybrid", neededFor }
    : {
        name: "cgroups",
        state: "missing",
        detail: "not mounted",
        neededFor,
        remedy: "mount -t cgroup2 none /sys/fs/cgroup",
      };
}

const sysResourceBit = 24n;

function oomScores(): Finding {
  const status = readFileSync("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1] ?? "0"}`);
  const may = ((effective >> sysResourceBit) & 1n) === 1n;
  return {
    name: "oom-scores",
    state: may ? "ok" : "limited",
    detail: may
      ? "may be lowered"
      : "CAP_SYS_RESOURCE is missing: containers keep the scores they inherit",
    neededFor: "choosing what the kernel ends when memory runs out",
  };
}

function bridgeFilter(): Finding {
  const there = existsSync("/proc/sys/net/bridge/bridge-nf-call-iptables");
  return {
    name: "br_netfilter",
    state: there ? "ok" : "limited",
    detail: there ? "loaded" : "not in this kernel: pods are reached by routes instead",
    neededFor: "filtering between pods on one bridge",
  };
}

function bpf(): Finding {
  const there = existsSync("/sys/kernel/btf/vmlinux");
  return {
    name: "bpf",
    state: there ? "ok" : "limited",
    detail: there ? "the kernel describes its types (BTF)" : "no BTF",
    neededFor: "observation and policies with eBPF (to come)",
  };
}
