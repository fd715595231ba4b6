import { type Clock, sleep } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { readEventIds } from "#agent/containerd/event-messages.ts";
import type { ExecStarted } from "#agent/containerd/exec-tracker.ts";
import { watchEnds } from "#agent/containerd/missed-ends.ts";
import type { GrpcChannel } from "#agent/containerd/grpc-channel.ts";
import type { ContainerState, RuntimeEvent } from "#agent/runtime/container-runtime.ts";

interface EventSource {
  readonly channel: GrpcChannel;
  readonly clock: Clock;
  readonly log: Log;
  readonly containerState: (id: string) => Promise<ContainerState | undefined>;
  readonly onExec: (started: ExecStarted) => void;
  /** The ids of all containers that have ended. */
  readonly ended: () => Promise<readonly string[]>;
}

export interface RuntimeEvents extends AsyncDisposable {
  onEvent(listener: (event: RuntimeEvent) => void): Disposable;
}

interface Envelope {
  readonly namespace: string;
  readonly topic: string;
  readonly event: { readonly value: Uint8Array } | null;
}

const reconnectMs = 500;
const settleAttempts = 8;
const settleFirstMs = 10;

/** Turns containerd's event stream into ours, and keeps it open: losing it is an event, and so is its return. */
export function runtimeEvents(source: EventSource): RuntimeEvents {
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const closing = new AbortController();
  const emit = (event: RuntimeEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const imagesChanged = afterwards(source.clock, () => emit({ kind: "images-changed" }));
  const tell = (containerId: string): void => emit({ kind: "container-exited", containerId });
  const done = Promise.all([
    follow({ ...source, imagesChanged }, emit, closing.signal),
    watchEnds({ ...source, tell }, closing.signal),
  ]);
  return {
    onEvent(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      listeners.clear();
      await done;
    },
  };
}

type Emit = (event: RuntimeEvent) => void;

/** CRI learns of images from the same events as we do, a moment later; and an image often brings several. */
const imagesSettleMs = 300;

/** Acts once, a moment after the first of several calls. */
function afterwards(clock: Clock, act: () => void): () => void {
  let isComing = false;
  return () => {
    if (isComing) return;
    isComing = true;
    clock.after(imagesSettleMs, () => {
      isComing = false;
      act();
    });
  };
}

interface FollowedSource extends EventSource {
  readonly imagesChanged: () => void;
}

async function follow(source: FollowedSource, emit: Emit, signal: AbortSignal): Promise<void> {
  const filters = [
    'topic~="/tasks/(start|exit|exec-started)$",namespace==k8s.io',
    'topic=="/containers/delete",namespace==k8s.io',
    'topic~="/images/(create|update|delete)$",namespace==k8s.io',
  ];
  let lost = false;
  while (!signal.aborted) {
    try {
      const stream = source.channel.stream<Envelope>(
        "containerd.services.events.v1.Events/Subscribe",
        { filters },
        signal,
      );
      if (lost) await source.channel.ready(farTimeoutMs);
      if (lost && !signal.aborted) emit({ kind: "runtime-back" });
      lost = false;
      for await (const envelope of stream) {
        translate(source, envelope, emit).catch((error: unknown) =>
          source.log.warn("container event not understood", { reason: messageOf(error) }),
        );
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!lost) {
        source.log.warn("connection to containerd lost", { reason: messageOf(error) });
        emit({ kind: "runtime-lost" });
      }
      lost = true;
    }
    await sleep(source.clock, reconnectMs, signal).catch(() => {});
  }
}

const farTimeoutMs = 60_000;

async function translate(source: FollowedSource, envelope: Envelope, emit: Emit): Promise<void> {
  if (envelope.topic.startsWith("/images/")) return source.imagesChanged();
  const { containerId, processId, pid } = readEventIds(envelope.event?.value ?? new Uint8Array());
  if (containerId === "") return;
  if (envelope.topic === "/tasks/exec-started") return source.onExec({ containerId, pid });
  if (envelope.topic === "/containers/delete") {
    return emit({ kind: "container-removed", containerId });
  }
  if (envelope.topic === "/tasks/start") return emit({ kind: "container-started", containerId });
  // The end of a process that was started by exec names the container, but has an id of its own.
  if (processId !== containerId) return;
  const state = await settled(source, containerId);
  if (state === undefined) emit({ kind: "sandbox-stopped", sandboxId: containerId });
  else emit({ kind: "container-exited", containerId });
}

/** CRI learns of an end from the same event as we do, a moment later: waits until it has, for about two seconds. */
async function settled(source: EventSource, id: string): Promise<ContainerState | undefined> {
  let state = await source.containerState(id);
  for (let attempt = 0; state?.state === "running" && attempt < settleAttempts; attempt += 1) {
    await sleep(source.clock, settleFirstMs * 2 ** attempt);
    state = await source.containerState(id);
  }
  return state;
}
