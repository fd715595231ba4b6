import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

/** Where everything of one cluster lies. */
export interface DataDirectory {
  readonly root: string;
  /** The user's way in: an administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly pki: string;
  readonly store: string;
  readonly logs: string;
  /** Choices made once and kept: ports, address ranges, runtime. */
  readonly settings: string;
  /** Under which encryption configuration everything is stored. */
  readonly encryption: string;
  /** What runs at the moment; absent when nothing does. */
  readonly running: string;
  /** Per node: `nodes/NAME/`. */
  readonly nodes: string;
}

export function dataDirectory(root: string): DataDirectory {
  const at = (name: string): string => join(root, name);
  return {
    root,
    kubeconfig: at("kubeconfig"),
    pki: at("pki"),
    store: at("store"),
    logs: at("logs"),
    settings: at("cluster.json"),
    encryption: at("encryption-state.json"),
    running: at("running.json"),
    nodes: at("nodes"),
  };
}

/** `--data-dir`, else `KOGGE_DATA_DIR`, else the user's default. */
export function chooseDataDirectory(option: string | undefined): DataDirectory {
  return dataDirectory(resolve(option ?? process.env["KOGGE_DATA_DIR"] ?? defaultRoot()));
}

/** The same for a node that joins another machine's cluster: by default beside a cluster of this machine's own. */
export function agentDataDirectory(option: string | undefined): DataDirectory {
  return dataDirectory(
    resolve(option ?? process.env["KOGGE_DATA_DIR"] ?? `${defaultRoot()}-agent`),
  );
}

export function prepareDataDirectory(directory: DataDirectory): void {
  try {
    mkdirSync(directory.root, { recursive: true, mode: 0o755 });
    mkdirSync(directory.logs, { recursive: true });
    accessSync(directory.root, constants.W_OK);
  } catch (cause) {
    throw new Error(`Cannot use the data directory "${directory.root}"`, { cause });
  }
}

function defaultRoot(): string {
  return process.getuid?.() === 0 ? "/var/lib/kogge" : join(homedir(), ".local/share/kogge");
}
