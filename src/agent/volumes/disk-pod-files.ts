import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { rotatedLogs } from "#agent/logs/log-rotator.ts";
import { cleanNode } from "#agent/node/clean-node.ts";
import { removeControlGroup } from "#agent/node/control-groups.ts";
import type { MountRequest, PodFiles } from "#agent/pods/pod-files.ts";
import { hostNetworkHostsFile, hostsFile } from "#agent/pods/pod-hosts.ts";
import { podCgroup } from "#agent/pods/sandbox-config.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { containerMounts } from "#agent/volumes/container-mounts.ts";
import { removeOrphans } from "#agent/volumes/orphans.ts";
import { podDiskUsage } from "#agent/volumes/pod-disk-usage.ts";
import { podDirectory } from "#agent/volumes/pod-directory.ts";
import { type ReadyVolumes, setUpVolumes } from "#agent/volumes/pod-volumes.ts";
import { readVolumeFile } from "#agent/volumes/read-volume-file.ts";
import { tearDownVolumes } from "#agent/volumes/tear-down.ts";
import type { VolumeContext } from "#agent/volumes/volume-plugin.ts";

export interface DiskOptions {
  readonly dataDir: string;
  readonly clusterDomain: string;
  readonly context: VolumeContext;
  readonly cgroupRoot?: string;
  readonly runtime?: Pick<ContainerRuntime, "features">;
}

const lastWordsBytesMax = 4096;
const lastLogBytesMax = 2048;
const lastLogLinesMax = 80;

/** The files of pods as kubelet lays them out, below the data directory. */
export function createDiskPodFiles(options: DiskOptions): PodFiles {
  const { dataDir, context } = options;
  const ready = new Map<string, ReadyVolumes>();
  const at = (pod: Pod) => podDirectory(dataDir, pod);
  return {
    logRoot: join(dataDir, "logs", "pods"),
    seccompDir: join(dataDir, "seccomp"),
    async logDirectory(pod) {
      const { logs } = at(pod);
      await mkdir(logs, { recursive: true });
      return logs;
    },
    async setUpVolumes(pod, podIps) {
      await mkdir(at(pod).root, { recursive: true, mode: 0o750 });
      const volumes = await setUpVolumes(dataDir, pod, { context, podIps });
      ready.set(pod.metadata.uid ?? "", volumes);
      const times = [...volumes.values()].map(({ refreshAtMs }) => refreshAtMs ?? Infinity);
      const first = Math.min(...times);
      return Number.isFinite(first) ? first : 0;
    },
    async mounts(request) {
      const directory = at(request.pod);
      await writeHosts(directory.hosts, request, options.clusterDomain);
      await mkdir(join(directory.logs, request.container.spec.name), { recursive: true });
      const volumes = ready.get(request.pod.metadata.uid ?? "") ?? new Map();
      return containerMounts({
        ...request,
        directory,
        volumes,
        ...(options.runtime && { features: options.runtime.features }),
      });
    },
    async readVolumeFile(pod, volume, path) {
      const found = ready.get(pod.metadata.uid ?? "")?.get(volume);
      if (found === undefined) {
        throw new Error(`cannot find the volume "${volume}" referenced by FileKeyRef`);
      }
      return readVolumeFile(found.hostPath, path);
    },
    async lastWords(pod, { spec }, state) {
      const file = at(pod).terminationLog(spec.name, state.attempt);
      const said = await readStart(file);
      const wantsLog =
        spec.terminationMessagePolicy === "FallbackToLogsOnError" && state.exitCode !== 0;
      if (said !== "" || !wantsLog) return said || state.message;
      return lastLines(join(at(pod).logs, spec.name, `${state.attempt}.log`));
    },
    diskUsage: (pod) => podDiskUsage(at(pod), pod),
    async forget(pod, name, attempt) {
      const directory = at(pod);
      await rm(directory.terminationLog(name, attempt), { force: true });
      const log = join(directory.logs, name, `${attempt}.log`);
      for (const file of [log, ...(await rotatedLogs(log))]) await rm(file, { force: true });
    },
    async release(pod) {
      const { root } = at(pod);
      ready.delete(pod.metadata.uid ?? "");
      await tearDownVolumes({ root, podUid: pod.metadata.uid ?? "", context });
      if (options.cgroupRoot) await removeControlGroup(podCgroup(options.cgroupRoot, pod));
    },
    async remove(pod) {
      const directory = at(pod);
      ready.delete(pod.metadata.uid ?? "");
      await tearDownVolumes({ ...directory, podUid: pod.metadata.uid ?? "", context });
      await rm(directory.root, { recursive: true, force: true });
      await rm(directory.logs, { recursive: true, force: true });
      if (options.cgroupRoot) await removeControlGroup(podCgroup(options.cgroupRoot, pod));
    },
    removeOrphans: (isKnown) => removeOrphans(options, isKnown),
    unmountAll: () => cleanNode(options),
  };
}

async function writeHosts(file: string, request: MountRequest, domain: string): Promise<void> {
  const { pod, podIps } = request;
  const text = pod.spec?.hostNetwork
    ? hostNetworkHostsFile(pod, await readFile("/etc/hosts", "utf8").catch(() => ""))
    : hostsFile(pod, { ips: podIps, clusterDomain: domain });
  await writeFile(file, text, { mode: 0o644 });
}

async function readStart(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(lastWordsBytesMax));
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}

/** The end of a CRI log without times and stream names. */
async function lastLines(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - 4 * lastLogBytesMax);
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(size - start),
      0,
      size - start,
      start,
    );
    const lines = buffer.subarray(0, bytesRead).toString().trimEnd().split("\n");
    return lines.slice(-lastLogLinesMax).map(saidIn).join("").slice(-lastLogBytesMax);
  } finally {
    await file.close();
  }
}

/** What a container wrote: `TIME STREAM P TEXT` is a piece of a line, without its end; `F` has it. */
function saidIn(line: string): string {
  const [, , tag, ...words] = line.split(" ");
  const text = words.join(" ");
  return tag === "P" ? text : `${text}\n`;
}
