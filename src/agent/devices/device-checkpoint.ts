import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DeviceGrant } from "#agent/devices/device-plugin.ts";

/** Devices that a container of a pod has. */
export interface Allocation {
  readonly podUid: string;
  readonly container: string;
  readonly resource: string;
  readonly ids: readonly string[];
  /** The NUMA nodes that they lie at. */
  readonly numaNodes: readonly number[];
  readonly grant: DeviceGrant;
}

interface Content {
  readonly allocations: readonly Allocation[];
  /** Resources that plugins registered. */
  readonly resources: readonly string[];
}

/** What is written down so that containers keep their devices over a restart of the agent. */
export class DeviceCheckpoint {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** A file that cannot be read counts as none: a plugin's registration brings its devices back. */
  read(): Content {
    try {
      const content = JSON.parse(readFileSync(this.#file, "utf8")) as Partial<Content>;
      return { allocations: content.allocations ?? [], resources: content.resources ?? [] };
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (isMissing || error instanceof SyntaxError) return { allocations: [], resources: [] };
      throw error;
    }
  }

  write(content: Content): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o750 });
    writeFileSync(`${this.#file}.new`, JSON.stringify(content));
    renameSync(`${this.#file}.new`, this.#file);
  }

  get #file(): string {
    return join(this.#dir, "kubelet_internal_checkpoint");
  }
}
