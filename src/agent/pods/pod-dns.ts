import type { Pod } from "#api/generated/types.ts";
import type { SandboxConfig } from "#agent/runtime/container-runtime.ts";

/** What names are resolved by on this node. */
export interface DnsSettings {
  /** The cluster's DNS servers; none: `ClusterFirst` falls back to the node's own. */
  readonly clusterServers: readonly string[];
  /** `cluster.local`. */
  readonly clusterDomain: string;
  /** The node's own resolver, as its `/etc/resolv.conf` says. */
  readonly node: ResolverConfig;
}

export type ResolverConfig = SandboxConfig["dns"];

const searchesMax = 32;
const serversMax = 3;

/** The pod's `/etc/resolv.conf`, by its DNS policy and `dnsConfig`. */
export function podDns(pod: Pod, settings: DnsSettings): ResolverConfig {
  const base = byPolicy(pod, settings);
  const wanted = pod.spec?.dnsConfig;
  if (wanted === undefined) return base;
  const options = new Map(base.options.map((option) => [option.split(":")[0] ?? "", option]));
  for (const { name = "", value } of wanted.options ?? []) {
    options.set(name, value === undefined ? name : `${name}:${value}`);
  }
  return {
    servers: unique([...base.servers, ...(wanted.nameservers ?? [])]).slice(0, serversMax),
    searches: unique([...base.searches, ...(wanted.searches ?? [])]).slice(0, searchesMax),
    options: [...options.values()],
  };
}

function byPolicy(pod: Pod, settings: DnsSettings): ResolverConfig {
  const policy = pod.spec?.dnsPolicy ?? "ClusterFirst";
  if (policy === "None") return { servers: [], searches: [], options: [] };
  const ownNetworkOnly = policy === "ClusterFirst" && pod.spec?.hostNetwork;
  if (policy === "Default" || ownNetworkOnly || settings.clusterServers.length === 0) {
    return settings.node;
  }
  const { clusterDomain } = settings;
  const namespace = pod.metadata.namespace ?? "default";
  const own = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return {
    servers: settings.clusterServers,
    searches: unique([...own, ...settings.node.searches]),
    options: ["ndots:5"],
  };
}

/** Reads the text of a `resolv.conf` (resolv.conf(5)). */
export function parseResolverConfig(text: string): ResolverConfig {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const values = (keyword: string): readonly (readonly string[])[] =>
    lines.filter(([first]) => first === keyword).map(([, ...rest]) => rest);
  return {
    servers: values("nameserver")
      .flatMap(([server]) => (server ? [server] : []))
      .slice(0, serversMax),
    searches: (values("search").at(-1) ?? []).filter((domain) => domain !== "."),
    options: values("options").flat(),
  };
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
