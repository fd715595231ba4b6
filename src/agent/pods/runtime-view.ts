import type {
  ContainerRuntime,
  ContainerState,
  Sandbox,
} from "#agent/runtime/container-runtime.ts";
import { podLabels } from "#agent/pods/sandbox-config.ts";

type Lister = Pick<ContainerRuntime, "listContainers" | "listSandboxes" | "containerState">;

/** What runs on the node, by pod: listed once, then kept current by the runtime's events and our own doings. */
export class RuntimeView {
  readonly #runtime: Lister;
  readonly #containers = new Map<string, ContainerState>();
  readonly #sandboxes = new Map<string, Sandbox>();

  constructor(runtime: Lister) {
    this.#runtime = runtime;
  }

  /** Reads everything anew: at the start, and after the runtime was away. */
  async reload(): Promise<void> {
    const [containers, sandboxes] = await Promise.all([
      this.#runtime.listContainers(),
      this.#runtime.listSandboxes(),
    ]);
    this.#containers.clear();
    this.#sandboxes.clear();
    for (const container of containers) this.#containers.set(container.id, container);
    for (const sandbox of sandboxes) this.#sandboxes.set(sandbox.id, sandbox);
  }

  containers(): readonly ContainerState[] {
    return [...this.#containers.values()];
  }

  sandboxes(): readonly Sandbox[] {
    return [...this.#sandboxes.values()];
  }

  /** The newest start of each name first. */
  containersOf(uid: string): readonly ContainerState[] {
    return [...this.#containers.values()]
      .filter((container) => container.labels[podLabels.uid] === uid)
      .toSorted((left, right) => right.attempt - left.attempt || right.createdMs - left.createdMs);
  }

  sandboxesOf(uid: string): readonly Sandbox[] {
    return [...this.#sandboxes.values()]
      .filter((sandbox) => sandbox.uid === uid)
      .toSorted((left, right) => right.attempt - left.attempt || right.createdMs - left.createdMs);
  }

  /** The pods that have anything on this node: uid to namespace and name. */
  pods(): ReadonlyMap<string, { readonly namespace: string; readonly name: string }> {
    const found = new Map<string, { namespace: string; name: string }>();
    for (const { uid, namespace, name } of this.#sandboxes.values())
      found.set(uid, { namespace, name });
    return found;
  }

  addContainer(container: ContainerState): void {
    this.#containers.set(container.id, container);
  }

  /** Returns the pod's uid. */
  async refreshContainer(id: string): Promise<string | undefined> {
    const before = this.#containers.get(id);
    const state = await this.#runtime.containerState(id);
    if (state) this.#containers.set(id, state);
    else this.#containers.delete(id);
    return (state ?? before)?.labels[podLabels.uid];
  }

  dropContainer(id: string): string | undefined {
    const uid = this.#containers.get(id)?.labels[podLabels.uid];
    this.#containers.delete(id);
    return uid;
  }

  addSandbox(sandbox: Sandbox): void {
    this.#sandboxes.set(sandbox.id, sandbox);
  }

  stopSandbox(id: string): string | undefined {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox) this.#sandboxes.set(id, { ...sandbox, state: "not-ready" });
    return sandbox?.uid;
  }

  dropSandbox(id: string): void {
    this.#sandboxes.delete(id);
  }
}
