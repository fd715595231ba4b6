import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import type { Clock } from "#base/clock.ts";

/** A server that answers for names outside the cluster. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** glibc's limit is three; more are of no use. */
const serversMax = 3;

/** The name servers of a `resolv.conf(5)`. */
export function parseResolvConf(text: string): readonly Upstream[] {
  const hosts = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, host]) => host ?? "");
  return hosts
    .filter((host) => isIP(host.split("%")[0] ?? "") !== 0)
    .slice(0, serversMax)
    .map((host) => ({ host, port: 53 }));
}

const checkEveryMs = 1000;

/** Follows a `resolv.conf`: looks for a newer one when it is asked, at most once a second. */
export function followResolvConf(path: string, clock: Clock): () => Promise<readonly Upstream[]> {
  let checkedMs = -Infinity;
  let version = "";
  let servers: readonly Upstream[] = [];
  return async () => {
    if (clock.now() - checkedMs < checkEveryMs) return servers;
    checkedMs = clock.now();
    try {
      const { mtimeMs, ino, size } = await stat(path);
      const found = `${ino} ${mtimeMs} ${size}`;
      if (found !== version) servers = parseResolvConf(await readFile(path, "utf8"));
      version = found;
    } catch (error) {
      // Without the file there is no server to ask, as for every other program.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      version = "";
      servers = [];
    }
    return servers;
  };
}
