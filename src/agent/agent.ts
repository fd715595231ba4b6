import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { createInformer } from "#client/create-informer.ts";
import type { AgentOptions } from "#agent/agent-options.ts";
import { openCpuManager } from "#agent/cpus/cpu-manager.ts";
import { openNodePlugins } from "#agent/devices/node-plugins.ts";
import { createHousekeeping } from "#agent/housekeeping.ts";
import { createNodeImages } from "#agent/images/node-images.ts";
import { NodeGate } from "#agent/node-gate.ts";
import { readMachineUsage } from "#agent/node/machine-usage.ts";
import { NodeKeeper } from "#agent/node/node-keeper.ts";
import { type NodeParts, nodeReference, nodeStatus } from "#agent/node/node-object.ts";
import { configurationOf, type NodeSettings, usualSettings } from "#agent/node/node-settings.ts";
import { createPodCgroups } from "#agent/node/pod-cgroups.ts";
import { readObjects } from "#agent/pods/object-reader.ts";
import { isTerminal } from "#agent/pods/pod-observation.ts";
import { PodManager } from "#agent/pods/pod-manager.ts";
import { RuntimeView } from "#agent/pods/runtime-view.ts";
import { createHandlers } from "#agent/probes/handlers.ts";
import { measureRuntime } from "#agent/runtime/measured-runtime.ts";
import { createNodeShutdown } from "#agent/shutdown/node-shutdown.ts";
import { followManifests } from "#agent/static-pods/manifest-folder.ts";
import { MirrorKeeper } from "#agent/static-pods/mirror-keeper.ts";
import { podKind } from "#agent/static-pods/pod-kind.ts";
import { agentMetrics, createProbeMetrics } from "#agent/stats/agent-metrics.ts";
import { createNodeMetrics } from "#agent/stats/node-metrics.ts";
import { createNodePages, type NodePages } from "#agent/stats/node-pages.ts";
import { simulatedMachineUsage } from "#agent/stats/simulated-machine.ts";
import { UsageCollector } from "#agent/stats/usage-collector.ts";
import { createStreamTargets } from "#agent/stream-targets.ts";
import type { StreamTargets } from "#agent/streams/process-streams.ts";
import { openNodeFiles } from "#agent/volumes/node-files.ts";
import { createEventRecorder } from "#reconcile/event-recorder.ts";

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
  const ending = new AbortController();
  const settings = { ...usualSettings, ...options.settings };
  const { clock } = options;
  const registry = new MetricsRegistry();
  const runtime = measureRuntime({ runtime: options.runtime, registry, clock });
  const all: Options = { ...options, settings, runtime, registry };
  const parts = await assemble(all, ending.signal);
  const { manager, view, files, nodeImages, keeper, shutdown } = parts;
  const running = await start(all, parts, ending.signal);
  const release = (): void => {
    ending.abort(new Error("the node agent stops"));
    running[Symbol.dispose]();
  };
  const pages = createNodePages({
    ...all,
    usage: parts.usage,
    pods: () => manager.told(),
    configuration: configurationOf(settings),
    ...(options.dataDir && { logDir: join(options.dataDir, "logs") }),
    metrics: agentMetrics(registry, { manager, view, nodeName: options.nodeName }),
    probeMetrics: parts.probeMetrics,
    problem: () => keeper.problem,
  });
  return {
    pages: async (request) =>
      nodeImages.answers(request) ? nodeImages.page(request) : pages(request),
    targets: createStreamTargets({ ...all, manager, view, files }),
    shutDown: () => shutdown.shutDown(),
    imagesChanged: () => keeper.imagesChanged(),
    async stopAll() {
      release();
      await shutdown.stopAll();
      await files.unmountAll();
    },
    async [Symbol.asyncDispose]() {
      release();
    },
  };
}

interface Options extends AgentOptions {
  readonly settings: NodeSettings;
  readonly registry: MetricsRegistry;
}

type Parts = Awaited<ReturnType<typeof assemble>>;

/** Makes the parts of an agent and shows them to each other; nothing is told or watched yet. */
async function assemble(options: Options, signal: AbortSignal) {
  const { client, nodeName, runtime, clock, log, dataDir, settings, machine, registry } = options;
  const nodeParts = nodePartsOf(options);
  const node = {
    name: nodeName,
    hostIps: options.addresses,
    allocatable: allocatableOf(nodeParts),
  };
  const objects = readObjects(client);
  const recorder = createEventRecorder({
    ...options,
    signal,
    component: "kubelet",
    host: nodeName,
  });
  const nodeImages = createNodeImages({ ...options, objects });
  const { puller } = nodeImages;
  const nodeFiles = openNodeFiles(options, { objects, node, puller, recorder, signal });
  const { files } = nodeFiles;
  const view = new RuntimeView(runtime);
  const metrics = createNodeMetrics(registry);
  const probeMetrics = createProbeMetrics();
  const { cgroupRoot: root } = options;
  const cgroups = root ? createPodCgroups({ root, settings, machine }) : undefined;
  await cgroups?.prepare();
  const cpus = dataDir ? openCpuManager(dataDir, settings) : undefined;
  const plugins = dataDir
    ? await openNodePlugins({
        ...options,
        dataDir,
        ...(cpus && { cpus }),
        isKnown: (uid) => manager.knows(uid),
        pods: () => manager.told().filter((pod) => !isTerminal(pod)),
        onDevices: () => keeper.devicesChanged(),
        onPods: (podUids) => {
          for (const uid of podUids) manager.wake(uid);
        },
        onUsable: () => manager.retryClaims(),
      })
    : undefined;
  const others = (pod: Pod): readonly Pod[] => manager.taken(pod);
  const owners = { ...(cpus && { cpus }), ...(plugins && { devices: plugins.devices }) };
  const gate = new NodeGate({
    ...owners,
    runtime,
    view,
    log,
    settings,
    allocatable: node.allocatable,
    others,
    hasAppArmor: machine.hasAppArmor,
    recorder,
    system: machine.operatingSystem,
    node: () => keeper.node,
    refreshNode: () => keeper.refresh(),
    end: (pod, end) => manager.end(pod, end),
  });
  const keeper: NodeKeeper = new NodeKeeper({
    ...nodeParts,
    recorder,
    ...(plugins && { devices: () => plugins.devices.amounts }),
  });
  const mirrors = new MirrorKeeper({
    ...options,
    nodeUid: () => keeper.uid,
    onMirror: (pod) => manager.retell(pod),
  });
  const manager: PodManager = new PodManager(
    {
      ...options,
      ...owners,
      recorder,
      mirrors,
      ...(cgroups && { cgroups }),
      ...(plugins && { dynamicResources: plugins.claims }),
      others,
      onGone: (pod) => {
        gate.release(pod);
        void plugins?.claims.reconcile();
      },
      admit: (pod) => gate.admit(pod),
      answerResize: (pod, granted) => gate.answerResize(pod, granted),
      view,
      files,
      objects: dataDir ? objects : { ...objects, services: async () => [] },
      images: puller,
      handlers: createHandlers(runtime),
      metrics,
      probeResults: probeMetrics,
      node,
      memoryBytes: machine.memoryBytes,
      runtimeName: runtime.version.split(":")[0] ?? "",
    },
    dataDir !== undefined,
  );
  const usage = new UsageCollector({
    ...options,
    manager,
    view,
    files,
    machine: dataDir ? () => readMachineUsage(clock.now()) : simulatedMachineUsage(machine, clock),
  });
  const shutdown = createNodeShutdown({ ...options, gate, keeper, manager });
  return {
    recorder,
    nodeImages,
    nodeFiles,
    files,
    view,
    metrics,
    probeMetrics,
    plugins,
    gate,
    keeper,
    mirrors,
    manager,
    usage,
    shutdown,
  };
}

/** Registers the node, takes over what runs on it, and begins to follow the API and the machine. */
async function start(options: Options, parts: Parts, signal: AbortSignal): Promise<Disposable> {
  const { client, nodeName, clock, log, settings } = options;
  const { keeper, manager, gate, mirrors, plugins, nodeImages } = parts;
  await keeper.start();
  const fieldSelector = `spec.nodeName=${nodeName}`;
  const informer = createInformer<Pod>(client, pods, { fieldSelector, signal, clock, log });
  const health = followRuntime(options, parts);
  const housekeeping = housekeepingOf(options, parts);
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
  parts.nodeFiles.follow();
  gate.keepOnly(manager.pods());
  await plugins?.start();
  await housekeeping?.start();
  const shutdowns = options.dataDir ? parts.shutdown.watch() : undefined;
  const all = [health, housekeeping, manifests, mirrors, shutdowns, plugins, manager, keeper];
  return {
    [Symbol.dispose]() {
      for (const one of all) one?.[Symbol.dispose]();
    },
  };
}

function nodePartsOf(
  options: Options,
): Omit<ConstructorParameters<typeof NodeKeeper>[0], "recorder"> {
  const { settings, ...machineParts } = options;
  return {
    ...machineParts,
    // Nothing is reserved on a node of simulated containers.
    ...(options.dataDir && { settings }),
    name: options.nodeName,
    runtimeVersion: options.runtime.version,
    labels: options.labels ?? {},
    podsMax: settings.maxPods,
  };
}

/** What pods may take of the node, before anything is known of its images and its state. */
function allocatableOf(nodeParts: NodeParts): Readonly<Record<string, string>> {
  const unknown = { nowMs: 0, images: [], old: [], pressures: new Set<never>() };
  return nodeStatus(nodeParts, unknown).allocatable ?? {};
}

function followRuntime({ runtime }: Options, { keeper, nodeImages }: Parts): Disposable {
  return runtime.onEvent(({ kind }) => {
    if (kind === "images-changed") {
      keeper.imagesChanged();
      nodeImages.changed();
    }
    if (kind === "runtime-lost") keeper.setReady("container runtime is down");
    if (kind === "runtime-back") keeper.setReady(undefined);
  });
}

function housekeepingOf(options: Options, parts: Parts) {
  const { dataDir, nodeName } = options;
  if (dataDir === undefined) return undefined;
  const { gate, keeper } = parts;
  return createHousekeeping({
    ...options,
    ...parts,
    dataDir,
    node: nodeReference(nodeName),
    onPressure: (found) => {
      gate.pressures = found;
      keeper.setPressures(found);
    },
    onImagesRemoved: () => keeper.imagesChanged(),
  });
}
