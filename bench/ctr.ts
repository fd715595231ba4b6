import { spawn } from "node:child_process";
import { once } from "node:events";

/** containerd's own command on the socket of a cluster: what it takes without Kubernetes. */
export interface Ctr {
  (words: readonly string[]): Promise<void>;
  /** Resolves when a container that only sleeps was started. */
  readonly run: (image: string, name: string) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
}

export function ctrFor(socket: string): Ctr {
  const ctr = async (words: readonly string[]): Promise<void> => {
    const child = spawn("ctr", ["--address", socket, "--namespace", "k8s.io", ...words], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let problem = "";
    child.stderr.on("data", (chunk: Buffer) => (problem += chunk.toString()));
    const [code] = (await once(child, "close")) as [number];
    if (code !== 0) throw new Error(`Cannot run ctr ${words.join(" ")}: ${problem.trim()}`);
  };
  return Object.assign(ctr, {
    run: (image: string, name: string) => ctr(["run", "--detach", image, name, "sleep", "1000"]),
    remove: async (name: string) => {
      await ctr(["task", "rm", "--force", name]);
      await ctr(["container", "rm", name]);
    },
  });
}
