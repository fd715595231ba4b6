import { readFileSync } from "node:fs";
import { parseResolverConfig, type ResolverConfig } from "#agent/pods/pod-dns.ts";

const usual = "/etc/resolv.conf";
/** Where systemd-resolved keeps the servers behind its stub, which pods cannot reach. */
const behindStub = "/run/systemd/resolve/resolv.conf";

/** How this machine resolves names, with servers that pods can reach. */
export function readResolver(): ResolverConfig {
  const config = parseResolverConfig(read(usual));
  const onlyLocal = config.servers.every((server) => server.startsWith("127."));
  if (config.servers.length === 0 || !onlyLocal) return config;
  const real = parseResolverConfig(read(behindStub));
  return real.servers.length > 0 ? real : config;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Without the file, there are no servers.
    return "";
  }
}
