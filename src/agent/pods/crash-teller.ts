import type { Pod } from "#api/generated/types.ts";
import { fieldPathOf, findContainer } from "#agent/pods/pod-containers.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

/** Records an event about each wait of a container that crashed: one for each, however often it is looked at. */
export class CrashTeller {
  readonly #recorder: EventRecorder;
  /** The end of the back-off that was told of last, by container. */
  readonly #told = new Map<string, number>();

  constructor(recorder: EventRecorder) {
    this.#recorder = recorder;
  }

  tell(
    pod: Pod,
    wait: { readonly name: string; readonly untilMs: number; readonly crashed: boolean },
  ): void {
    const container = findContainer(pod, wait.name);
    if (!wait.crashed || container === undefined) return;
    if (this.#told.get(wait.name) === wait.untilMs) return;
    this.#told.set(wait.name, wait.untilMs);
    const { name, namespace, uid } = pod.metadata;
    this.#recorder.record(pod, {
      type: "Warning",
      reason: "BackOff",
      message: `Back-off restarting failed container ${wait.name} in pod ${name}_${namespace}(${uid})`,
      fieldPath: fieldPathOf(container),
    });
  }
}
