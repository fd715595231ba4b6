import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { rpcText } from "#agent/devices/device-plugin.ts";
import { type PluginHandler, type Registration, register } from "#agent/devices/register-plugin.ts";

export type { PluginHandler, PluginInfo } from "#agent/devices/register-plugin.ts";

export interface PluginWatcherParts {
  /** The folder where plugins put their registration sockets: the node's `plugins_registry`. */
  readonly dir: string;
  /** By the type that plugins say they are of: `DRAPlugin`. */
  readonly handlers: Readonly<Record<string, PluginHandler>>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A registration socket that is there. */
interface Socket {
  /** Another one at the same path is another plugin. */
  readonly identity: string;
  readonly stop: AbortController;
  registration: Registration | undefined;
  cancelRetry: () => void;
}

const firstRetryMs = 500;
const retryMsMax = 122_000;
const foldersMax = 200;
const depthMax = 4;

/**
 * Registers the plugins whose sockets lie in a folder, or in folders of it, for as long as these lie there. A plugin that
 * cannot be registered is tried again, ever later. Names that begin with a dot are passed over.
 */
export class PluginWatcher implements Disposable {
  readonly #parts: PluginWatcherParts;
  readonly #sockets = new Map<string, Socket>();
  readonly #watchers = new Map<string, FSWatcher>();
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #isDisposed = false;

  constructor(parts: PluginWatcherParts) {
    this.#parts = parts;
  }

  /** Resolves once all is seen that is there already. */
  async start(): Promise<void> {
    await mkdir(this.#parts.dir, { recursive: true, mode: 0o750 });
    await this.#look();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    for (const path of this.#sockets.keys()) this.#remove(path);
  }

  #look(): Promise<void> {
    this.#lookAgain = true;
    this.#looking ??= this.#lookOn().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookOn(): Promise<void> {
    while (this.#lookAgain && !this.#isDisposed) {
      this.#lookAgain = false;
      const folders = new Set<string>();
      const found = new Map<string, string>();
      await this.#collect(this.#parts.dir, { folders, found, depth: 0 });
      if (this.#isDisposed) return;
      this.#closeOthers(folders);
      for (const [path, { identity }] of this.#sockets) {
        if (found.get(path) !== identity) this.#remove(path);
      }
      for (const [path, identity] of found) if (!this.#sockets.has(path)) this.#add(path, identity);
    }
  }

  /** A folder is watched before it is read: nothing comes in between unseen. */
  async #collect(
    dir: string,
    into: {
      readonly folders: Set<string>;
      readonly found: Map<string, string>;
      readonly depth: number;
    },
  ): Promise<void> {
    const { folders, found, depth } = into;
    if (depth > depthMax || folders.size >= foldersMax || !this.#watch(dir)) return;
    folders.add(dir);
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const path = join(dir, entry.name);
      if (entry.isDirectory()) await this.#collect(path, { folders, found, depth: depth + 1 });
      if (!entry.isSocket()) continue;
      const info = await stat(path, { bigint: true }).catch(() => undefined);
      if (info) found.set(path, `${info.ino}/${info.birthtimeNs}`);
    }
  }

  #watch(dir: string): boolean {
    if (this.#isDisposed) return false;
    if (this.#watchers.has(dir)) return true;
    const { log } = this.#parts;
    const failed = (error: unknown): void =>
      log.error("folder of plugins not watched", { dir, reason: messageOf(error) });
    try {
      const watcher = watch(dir, { persistent: false }, () => void this.#look());
      watcher.on("error", failed);
      this.#watchers.set(dir, watcher);
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  }

  #closeOthers(folders: ReadonlySet<string>): void {
    for (const [dir, watcher] of this.#watchers) {
      if (folders.has(dir)) continue;
      watcher.close();
      this.#watchers.delete(dir);
    }
  }

  #add(path: string, identity: string): void {
    const stop = new AbortController();
    const socket: Socket = { identity, stop, registration: undefined, cancelRetry: () => {} };
    this.#sockets.set(path, socket);
    void this.#register(path, socket, firstRetryMs);
  }

  async #register(path: string, socket: Socket, retryMs: number): Promise<void> {
    const { handlers, clock, log } = this.#parts;
    const { signal } = socket.stop;
    try {
      const registration = await register(path, handlers, signal);
      if (signal.aborted) return registration[Symbol.dispose]();
      socket.registration = registration;
      log.info("plugin registered", { socket: path, ...registration.info });
    } catch (error) {
      if (signal.aborted) return;
      log.warn("plugin not registered", { socket: path, reason: rpcText(error) });
      socket.cancelRetry = clock.after(
        retryMs,
        () => void this.#register(path, socket, Math.min(retryMsMax, retryMs * 2)),
      );
    }
  }

  #remove(path: string): void {
    const socket = this.#sockets.get(path);
    if (!this.#sockets.delete(path) || socket === undefined) return;
    socket.cancelRetry();
    socket.stop.abort(new Error("the plugin is gone"));
    socket.registration?.[Symbol.dispose]();
  }
}
