import { Readable } from "node:stream";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import { badRequest, notFound } from "#api/status.ts";
import { containerStatus } from "#agent/pods/container-status.ts";
import { findContainer, podContainers } from "#agent/pods/pod-containers.ts";
import type { PodManager } from "#agent/pods/pod-manager.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import { LogFormatter } from "#agent/logs/log-lines.ts";
import { readLogFile } from "#agent/logs/read-log-file.ts";
import type { ContainerRuntime, ContainerState } from "#agent/runtime/container-runtime.ts";
import type {
  ContainerName,
  LogOptions,
  PodName,
  StreamTargets,
} from "#agent/streams/process-streams.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import type { Clock } from "#base/clock.ts";

export interface TargetParts {
  readonly manager: PodManager;
  readonly view: RuntimeView;
  readonly runtime: ContainerRuntime;
  readonly files: PodFiles;
  readonly clock: Clock;
}

/** Finds the containers that streams and logs are asked of, with upstream's refusals. */
export function createStreamTargets(parts: TargetParts): StreamTargets {
  const { runtime } = parts;
  return {
    async exec(name, options) {
      return runtime.exec(running(parts, name).id, options);
    },
    async attach(name, options) {
      const pod = podOf(parts, name);
      const tty = findContainer(pod, name.container)?.spec.tty ?? false;
      return runtime.attach(running(parts, name).id, { ...options, tty: options.tty && tty });
    },
    async portForward(name, port) {
      const pod = podOf(parts, name);
      const [sandbox] = parts.view.sandboxesOf(pod.metadata.uid ?? "");
      if (sandbox?.state !== "ready") {
        throw badRequest(
          `unable to forward port because pod is not running. Current status=${pod.status?.phase ?? "Pending"}`,
        );
      }
      return runtime.portForward(sandbox.id, port);
    },
    async logs(name, options) {
      return Readable.from(readLogs(parts, await logSource(parts, name, options), options), {
        objectMode: false,
      });
    },
  };
}

interface LogSource {
  readonly pod: Pod;
  readonly state: ContainerState;
}

function podOf({ manager }: TargetParts, { namespace, pod: name }: PodName): Pod {
  const pod = manager.find(namespace, name);
  if (pod === undefined) throw notFound(pods, name);
  return pod;
}

function running(parts: TargetParts, name: ContainerName): ContainerState {
  const pod = podOf(parts, name);
  const state = statesOf(parts, pod, name.container)[0];
  if (state?.state === "running") return state;
  throw badRequest(`container not found ("${name.container}")`);
}

function statesOf({ view }: TargetParts, pod: Pod, container: string): readonly ContainerState[] {
  return view.containersOf(pod.metadata.uid ?? "").filter(({ name }) => name === container);
}

async function logSource(
  parts: TargetParts,
  name: ContainerName,
  options: LogOptions,
): Promise<LogSource> {
  const pod = podOf(parts, name);
  const container = findContainer(pod, name.container);
  if (container === undefined) {
    throw badRequest(
      `container ${name.container} is not valid for pod ${name.pod}: it has ${podContainers(pod)
        .map(({ spec }) => spec.name)
        .join(", ")}`,
    );
  }
  const states = statesOf(parts, pod, name.container).filter(({ state }) => state !== "created");
  const state = options.previous ? states[1] : states[0];
  if (state !== undefined) return { pod, state };
  if (options.previous) {
    throw badRequest(
      `previous terminated container "${name.container}" in pod "${name.pod}" not found`,
    );
  }
  throw badRequest(
    `container "${name.container}" in pod "${name.pod}" is ${waitingText(parts, pod, name)}`,
  );
}

function waitingText(parts: TargetParts, pod: Pod, { container }: ContainerName): string {
  const found = findContainer(pod, container);
  const known = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ].find(({ name }) => name === container);
  const fallback =
    found &&
    containerStatus(
      {
        pod,
        nowMs: parts.clock.now(),
        sandboxes: [],
        containers: [],
        failures: new Map(),
        crashDelaysMs: new Map(),
        health: new Map(),
      },
      found,
      "",
    );
  const reason = (known ?? fallback)?.state?.waiting?.reason ?? "ContainerCreating";
  if (reason === "ErrImagePull" || reason === "ImagePullBackOff") {
    return reason === "ErrImagePull"
      ? "waiting to start: image can't be pulled"
      : "waiting to start: trying and failing to pull image";
  }
  return `waiting to start: ${reason}`;
}

async function* readLogs(
  parts: TargetParts,
  { pod, state }: LogSource,
  options: LogOptions,
): AsyncGenerator<Buffer> {
  const { runtime, files } = parts;
  if (runtime.readLog) {
    yield* formatLines(runtime.readLog(state.id, options.signal, options.follow), options);
    return;
  }
  const path = join(await files.logDirectory(pod), state.name, `${state.attempt}.log`);
  const isRunning = async (): Promise<boolean> =>
    (await runtime.containerState(state.id))?.state === "running";
  const onEnd = (act: () => void): Disposable =>
    runtime.onEvent(({ containerId, kind }) => {
      if (containerId === state.id && kind !== "container-started") act();
    });
  yield* readLogFile({ path, isRunning, onEnd }, options);
}

async function* formatLines(
  lines: AsyncIterable<string>,
  options: LogOptions,
): AsyncGenerator<Buffer> {
  const formatter = new LogFormatter(options);
  const kept: Buffer[] = [];
  const tail = options.tailLines;
  for await (const line of lines) {
    const part = formatter.format(Buffer.from(`${line}\n`));
    if (formatter.full && part.length === 0) return;
    if (tail === undefined || options.follow) {
      if (part.length > 0) yield part;
    } else {
      kept.push(part);
      if (kept.length > tail) kept.shift();
    }
  }
  yield* kept;
}
