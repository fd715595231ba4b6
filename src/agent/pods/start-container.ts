import type { EphemeralContainer, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { messageOf } from "#base/log.ts";
import { containerConfig } from "#agent/pods/container-config.ts";
import { nonRootProblem } from "#agent/pods/container-security.ts";
import type { DeviceGrant } from "#agent/devices/device-plugin.ts";
import { buildEnvironment } from "#agent/pods/environment.ts";
import { fieldPathOf, type PodContainer } from "#agent/pods/pod-containers.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import { StartError, usualRetryMs } from "#agent/pods/start-error.ts";
import type { ContainerType } from "#agent/stats/node-metrics.ts";
import type { Sandbox } from "#agent/runtime/container-runtime.ts";

export interface StartRequest {
  readonly pod: Pod;
  readonly container: PodContainer;
  readonly sandbox: Sandbox;
  readonly podIps: readonly string[];
  readonly attempt: number;
  readonly signal: AbortSignal;
}

const hookTimeoutMs = 10 * 60_000;

/** From the image to the `postStart` hook, with upstream's events. Throws a StartError; the container's id else. */
export async function startContainer(parts: PodParts, request: StartRequest): Promise<string> {
  const { pod, container, signal } = request;
  const fieldPath = fieldPathOf(container);
  const tell = (type: "Normal" | "Warning", reason: string, message: string): void =>
    parts.recorder.record(pod, { type, reason, message, fieldPath });
  const type = typeOf(container);
  parts.metrics.containerStarts(type);
  try {
    const image = await parts.images.ensure(pod, container, tell, signal);
    const config = await configure(parts, request, image);
    const id = await create(parts, request, config);
    tell("Normal", "Created", "Container created");
    try {
      await attempt("RunContainerError", () => parts.runtime.startContainer(id));
    } finally {
      await parts.view.refreshContainer(id);
    }
    tell("Normal", "Started", "Container started");
    await afterStart(parts, request, id);
    return id;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    parts.metrics.containerNotStarted(type, error.reason);
    const pulling = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"];
    const text = pulling.includes(error.reason) ? error.reason : error.message;
    if (error.reason !== "PostStartHookError") tell("Warning", "Failed", `Error: ${text}`);
    throw error;
  }
}

function typeOf({ role }: PodContainer): ContainerType {
  if (role === "ephemeral") return "ephemeral_container";
  return role === "app" ? "container" : "init_container";
}

type Image = Awaited<ReturnType<PodParts["images"]["ensure"]>>;
type Config = ReturnType<typeof containerConfig>;

function configure(parts: PodParts, request: StartRequest, image: Image): Promise<Config> {
  const { pod, container, podIps } = request;
  return attempt("CreateContainerConfigError", async () => {
    const problem = nonRootProblem(pod, container.spec, image.user);
    if (problem !== undefined) throw new Error(problem);
    const { node, objects, files } = parts;
    const { spec } = container;
    const readVolumeFile = (volume: string, path: string): Promise<string> =>
      files.readVolumeFile(pod, volume, path);
    const about = { pod, container: spec, node, podIps };
    const environment = await buildEnvironment({ ...about, objects, readVolumeFile });
    const mounts = await files.mounts({ ...request, environment, node });
    const processesOf = targetOf(parts, request);
    const devices = await devicesOf(parts, request);
    return containerConfig({
      pod,
      container,
      attempt: request.attempt,
      image: image.id,
      environment,
      mounts,
      seccompDir: files.seccompDir,
      memoryBytes: parts.memoryBytes,
      devices,
      ...(processesOf && { processesOf }),
      ...(parts.cpus && { cpus: parts.cpus.shareOf(uidOf(pod), spec.name) }),
    });
  });
}

async function devicesOf(
  { devices, dynamicResources }: PodParts,
  { pod, container }: StartRequest,
): Promise<readonly DeviceGrant[]> {
  const cdiDevices = dynamicResources?.cdiDevicesOf(pod, container.spec) ?? [];
  const grants = (await devices?.prepareStart(pod, container.spec.name)) ?? [];
  if (cdiDevices.length === 0) return grants;
  const ofClaims = { envs: {}, mounts: [], devices: [], annotations: {} };
  return [...grants, { ...ofClaims, cdiDevices: cdiDevices.map((name) => ({ name })) }];
}

/** The container that an ephemeral one is to look into must run. */
function targetOf({ view }: PodParts, { pod, container }: StartRequest): string | undefined {
  const { targetContainerName: name } = container.spec as EphemeralContainer;
  if (container.role !== "ephemeral" || !name) return undefined;
  const states = view.containersOf(pod.metadata.uid ?? "");
  const target = states.find((state) => state.name === name && state.state === "running");
  if (target) return target.id;
  throw new Error(`unable to find target container "${name}"`);
}

async function create(parts: PodParts, request: StartRequest, config: Config): Promise<string> {
  const id = await attempt("CreateContainerError", () =>
    parts.runtime.createContainer(request.sandbox.id, config),
  );
  await parts.view.refreshContainer(id);
  return id;
}

async function attempt<T>(reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StartError(reason, messageOf(error), usualRetryMs);
  }
}

async function afterStart(parts: PodParts, request: StartRequest, id: string): Promise<void> {
  const { pod, container, podIps } = request;
  const hook = container.spec.lifecycle?.postStart;
  if (hook === undefined) return;
  const running = hook.sleep
    ? pause(parts, hook.sleep.seconds)
    : parts.handlers(hook, {
        container: container.spec,
        containerId: id,
        podIp: podIps[0] ?? "",
        timeoutMs: hookTimeoutMs,
        userAgent: "kube-lifecycle/1.36",
      });
  const result = await Promise.race([running, aborted(request.signal)]);
  if (result.ok) return;
  parts.recorder.record(pod, {
    type: "Warning",
    reason: "FailedPostStartHook",
    message: "PostStartHook failed",
    fieldPath: fieldPathOf(container),
  });
  await parts.runtime.stopContainer(id, 0);
  await parts.view.refreshContainer(id);
  throw new StartError("PostStartHookError", "PostStartHook failed", 0);
}

/** A pod that is to end does not wait for its hooks. */
function aborted(signal: AbortSignal): Promise<{ ok: boolean }> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve({ ok: true });
    signal.addEventListener("abort", () => resolve({ ok: true }), { once: true });
  });
}

function pause(parts: PodParts, seconds: number): Promise<{ ok: boolean }> {
  return new Promise((resolve) => {
    parts.clock.after(seconds * 1000, () => resolve({ ok: true }));
  });
}
