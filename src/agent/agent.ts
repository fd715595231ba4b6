import { join } from "node:path";
import type { Pod, Taint } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import type { MachineFacts } from "#agent/node/machine-facts.ts";
import { readMachineUsage } from "#agent/node/machine-usage.ts";
import { createPodCgroups } from "#agent/node/pod-cgroups.ts";
import { configurationOf, type NodeSettings, usualSettings } from "#agent/node/node-settings.ts";
import { openCpuManager } from "#agent/cpus/cpu-manager.ts";
import { loadPlugins } from "#agent/load-plugins.ts";
import type { NodeIdentity } from "#agent/images/fetch-image.ts";
import { createNodeImages } from "#agent/images/node-images.ts";
import { createHousekeeping } from "#agent/housekeeping.ts";
import { NodeGate } from "#agent/node-gate.ts";
import { NodeKeeper } from "#agent/node/node-keeper.ts";
import { nodeReference, nodeStatus } from "#agent/node/node-object.ts";
import { isTerminal } from "#agent/pods/pod-observation.ts";
import { readObjects } from "#agent/pods/object-reader.ts";
import type { DnsSettings } from "#agent/pods/pod-dns.ts";
import { noPodFiles } from "#agent/pods/pod-files.ts";
import { PodManager } from "#agent/pods/pod-manager.ts";
import { createPodTokens } from "#agent/pods/pod-tokens.ts";
import { RuntimeView } from "#agent/pods/runtime-view.ts";
import { createHandlers } from "#agent/probes/handlers.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { agentMetrics, createProbeMetrics } from "#agent/stats/agent-metrics.ts";
import { createNodePages, type NodePages } from "#agent/stats/node-pages.ts";
import { simulatedMachineUsage } from "#agent/stats/simulated-machine.ts";
import { UsageCollector } from "#agent/stats/usage-collector.ts";
import { shutdownGroups } from "#agent/shutdown/plan-shutdown.ts";
import { shutdownRefusal, shutDownNode } from "#agent/shutdown/shut-down-node.ts";
import { stopContainers } from "#agent/shutdown/stop-containers.ts";
import { hasSystemd, watchShutdown } from "#agent/shutdown/watch-shutdown.ts";
import { followManifests } from "#agent/static-pods/manifest-folder.ts";
import { MirrorKeeper } from "#agent/static-pods/mirror-keeper.ts";
import { podKind } from "#agent/static-pods/pod-kind.ts";
import { createStreamTargets } from "#agent/stream-targets.ts";
import type { StreamTargets } from "#agent/streams/process-streams.ts";
import { createDiskPodFiles } from "#agent/volumes/disk-pod-files.ts";
import { NodeDirectories } from "#agent/volumes/node-directories.ts";
import { readPersistentObjects } from "#agent/volumes/persistent-objects.ts";
import { createMountableImages } from "#agent/volumes/volume-images.ts";
import { createEventRecorder } from "#reconcile/event-recorder.ts";

export interface AgentOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where pods' volumes and logs are kept. Absent: the node keeps no files, as one of simulated containers. */
  readonly dataDir?: string;
  readonly machine: MachineFacts;
  readonly dns: DnsSettings;
  readonly podCidr?: string;
  /** Where this node's stream server listens: `status.daemonEndpoints`. */
  readonly streamPort: number;
  /** The node's addresses, the primary first. */
  readonly addresses: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** What the node is created with. */
  readonly taints?: readonly Taint[];
  /** The control group that pods get theirs below: `/kogge-…`. */
  readonly cgroupRoot?: string;
  /** How long a plugin of devices may take to answer. Default: 30 seconds, drivers of claims 45. */
  readonly deviceCallTimeoutMs?: number;
  /** As what other nodes know this one: with it, images come from them too. */
  readonly identity?: () => NodeIdentity;
  /** Default: upstream's. */
  readonly settings?: Partial<NodeSettings>;
}

/** The node agent. Disposing of it leaves the containers running. */
export interface Agent extends AsyncDisposable {
  readonly targets: StreamTargets;
  /** What the node answers besides streams: statistics, metrics, its pods. */
  readonly pages: NodePages;
  /** The machine goes down: takes no pods any more, and ends those that run by their priority. */
  shutDown(): Promise<void>;
  /** Ends everything that runs on the node; the objects stay in the API. */
  stopAll(): Promise<void>;
  /** To be called when images came or went by another way than a pod's. */
  imagesChanged(): void;
}

/** Registers the node and runs the pods bound to it. Resolves once the node is registered as ready. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { client, nodeName, runtime, clock, log, addresses } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const settings = { ...usualSettings, ...options.settings };
  const { settings: _given, ...machineParts } = options;
  const nodeParts = {
    ...machineParts,
    ...(options.dataDir && { settings }),
    name: nodeName,
    runtimeVersion: runtime.version,
    labels: options.labels ?? {},
    podsMax: settings.maxPods,
  };
  const { allocatable = {} } = nodeStatus(nodeParts, {
    nowMs: 0,
    images: [],
    old: [],
    pressures: new Set(),
  });
  const node = { name: nodeName, hostIps: addresses, allocatable };
  const objects = readObjects(client);
  const { clusterDomain } = options.dns;
  const { dataDir } = options;
  const recorder = createEventRecorder({
    ...options,
    signal,
    component: "kubelet",
    host: nodeName,
  });
  const nodeImages = createNodeImages({ ...options, objects, settings });
  const { puller } = nodeImages;
  const recordDir = join(dataDir ?? "", "directories");
  const directories = new NodeDirectories({ ...options, signal, recordDir });
  const context = {
    objects,
    node,
    clock,
    directories,
    persistent: readPersistentObjects(client, nodeName),
    images: createMountableImages({ runtime, puller, recorder, signal }),
    requestToken: createPodTokens(client, clock),
  };
  const files = dataDir
    ? createDiskPodFiles({ ...options, dataDir, clusterDomain, context })
    : noPodFiles;
  const view = new RuntimeView(runtime);
  const probeMetrics = createProbeMetrics();
  const { cgroupRoot: root, machine } = options;
  const cgroups = root ? createPodCgroups({ root, settings, machine }) : undefined;
  await cgroups?.prepare();
  const cpus = dataDir ? openCpuManager(dataDir, settings) : undefined;
  const plugins = dataDir ? await loadPlugins() : undefined;
  const devices =
    dataDir && plugins
      ? new plugins.DeviceManager({
          dir: join(dataDir, "device-plugins"),
          ...(options.deviceCallTimeoutMs && { callTimeoutMs: options.deviceCallTimeoutMs }),
          clock,
          log,
          onChange: (podUids) => {
            keeper.devicesChanged();
            for (const uid of podUids) manager.wake(uid);
          },
        })
      : undefined;
  const claimService =
    dataDir && plugins
      ? plugins.createClaimService({
          ...options,
          dataDir,
          ...(options.deviceCallTimeoutMs && { callTimeoutMs: options.deviceCallTimeoutMs }),
          isKnown: (uid) => manager.knows(uid),
          onHealth: (podUids) => {
            for (const uid of podUids) manager.wake(uid);
          },
          onUsable: () => manager.retryClaims(),
        })
      : undefined;
  const others = (pod: Pod): readonly Pod[] => manager.taken(pod);
  const gate = new NodeGate({
    runtime,
    view,
    log,
    settings,
    allocatable,
    others,
    hasAppArmor: machine.hasAppArmor,
    ...(cpus && { cpus }),
    ...(devices && { devices }),
  });
  const keeper = new NodeKeeper({
    ...nodeParts,
    recorder,
    ...(devices && { devices: () => devices.amounts }),
  });
  const mirrors = new MirrorKeeper({
    ...options,
    nodeUid: () => keeper.uid,
    onMirror: (pod) => manager.retell(pod),
  });
  const manager: PodManager = new PodManager(
    {
      ...options,
      recorder,
      mirrors,
      ...(cgroups && { cgroups }),
      ...(cpus && { cpus }),
      ...(devices && { devices }),
      ...(claimService && { dynamicResources: claimService.claims }),
      others,
      onGone: (pod) => {
        gate.release(pod);
        void claimService?.claims.reconcile();
      },
      admit: (pod) => gate.admit(pod),
      answerResize: (pod) => gate.answerResize(pod),
      view,
      files,
      objects: dataDir ? objects : { ...objects, services: async () => [] },
      images: puller,
      handlers: createHandlers(runtime),
      probeResults: probeMetrics,
      node,
      memoryBytes: options.machine.memoryBytes,
      runtimeName: runtime.version.split(":")[0] ?? "",
    },
    dataDir !== undefined,
  );
  await keeper.start();
  const fieldSelector = `spec.nodeName=${nodeName}`;
  const informer = createInformer<Pod>(client, pods, { fieldSelector, signal, clock, log });
  const health = runtime.onEvent(({ kind }) => {
    if (kind === "images-changed") {
      keeper.imagesChanged();
      nodeImages.changed();
    }
    if (kind === "runtime-lost") keeper.setReady("container runtime is down");
    if (kind === "runtime-back") keeper.setReady(undefined);
  });
  const usage = new UsageCollector({
    ...options,
    manager,
    view,
    files,
    machine: dataDir
      ? () => readMachineUsage(clock.now())
      : simulatedMachineUsage(options.machine, clock),
  });
  const onDirectories = (error: unknown): void => {
    if (signal.aborted) return;
    log.warn("volumes of this node are not followed", { reason: messageOf(error) });
  };
  const housekeeping = dataDir
    ? createHousekeeping({
        ...options,
        dataDir,
        settings,
        manager,
        view,
        files,
        usage,
        recorder,
        node: nodeReference(nodeName),
        onPressure: (found) => {
          gate.pressures = found;
          keeper.setPressures(found);
        },
        onImagesRemoved: () => keeper.imagesChanged(),
      })
    : undefined;
  const manifests = settings.staticPodPath
    ? await followManifests({
        path: settings.staticPodPath,
        nodeName,
        kind: podKind(),
        log,
        onPods: (found) => manager.setStatic(found),
      })
    : undefined;
  nodeImages.changed();
  await manager.start(informer);
  if (dataDir) void directories.follow().catch(onDirectories);
  gate.keepOnly(manager.pods());
  await devices?.start();
  await claimService?.start();
  const podResources =
    dataDir && devices && plugins
      ? await plugins.servePodResources({
          dir: join(dataDir, "pod-resources"),
          devices,
          ...(claimService && { claims: claimService.claims }),
          ...(cpus && { cpus }),
          pods: () => manager.told().filter((pod) => !isTerminal(pod)),
        })
      : undefined;
  await housekeeping?.start();
  const groups = shutdownGroups(settings);
  const shutDown = async (): Promise<void> => {
    gate.refusal = shutdownRefusal;
    keeper.setReady("node is shutting down");
    const pods = (): readonly Pod[] => manager.told();
    await shutDownNode({ clock, log, groups, pods, end: (pod, end) => manager.end(pod, end) });
  };
  const onCancel = (): void => {
    gate.refusal = undefined;
    keeper.setReady(undefined);
  };
  const shutdowns =
    dataDir && groups.length > 0 && hasSystemd()
      ? watchShutdown({ log, onShutdown: shutDown, onCancel })
      : undefined;
  const release = (): void => {
    ending.abort(new Error("the node agent stops"));
    health[Symbol.dispose]();
    for (const one of [
      housekeeping,
      manifests,
      mirrors,
      shutdowns,
      devices,
      claimService,
      podResources,
    ])
      one?.[Symbol.dispose]();
    manager[Symbol.dispose]();
    keeper[Symbol.dispose]();
  };
  const pages = createNodePages({
    ...options,
    usage,
    pods: () => manager.told(),
    configuration: configurationOf(settings),
    ...(dataDir && { logDir: join(dataDir, "logs") }),
    metrics: agentMetrics({ manager, view, nodeName }),
    probeMetrics,
    problem: () => keeper.problem,
  });
  return {
    pages: async (request) =>
      nodeImages.answers(request) ? nodeImages.page(request) : pages(request),
    targets: createStreamTargets({ manager, view, runtime, files, clock }),
    shutDown,
    imagesChanged: () => keeper.imagesChanged(),
    async stopAll() {
      release();
      await stopContainers(runtime, manager.pods(), groups);
      const sandboxes = await runtime.listSandboxes();
      await Promise.all(sandboxes.map(({ id }) => runtime.stopSandbox(id)));
      await files.unmountAll();
    },
    async [Symbol.asyncDispose]() {
      release();
    },
  };
}
