import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Informers } from "#client/informers.ts";
import { createClusterView } from "#network/dns/cluster-view.ts";
import { openDnsSockets } from "#network/dns/dns-sockets.ts";
import { createForwarder } from "#network/dns/forwarder.ts";
import { createResolver } from "#network/dns/resolver.ts";
import { followResolvConf, type Upstream } from "#network/dns/resolv-conf.ts";
import { parseRange } from "#network/ip-range.ts";

export interface ClusterDnsParts {
  readonly informers: Informers;
  /** `cluster.local`. */
  readonly clusterDomain: string;
  /** The ranges of pods and services: reverse names in them are never asked for elsewhere. */
  readonly ranges: readonly string[];
  readonly listen: { readonly host: string; readonly port: number };
  /** Default: the machine's `/etc/resolv.conf`, as it is at the time of a question. */
  readonly upstream?: { readonly servers: readonly Upstream[] } | { readonly file: string };
  /** Addresses that lead back here and are never asked. */
  readonly ownAddresses: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ClusterDns extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Serves DNS for the cluster's names, and the machine's resolvers' answers for all others, over UDP and TCP. */
export async function createClusterDns(parts: ClusterDnsParts): Promise<ClusterDns> {
  const { clock, random, log, listen } = parts;
  const stop = new AbortController();
  const { view, synced } = createClusterView(parts.informers);
  await synced;
  const ranges = parts.ranges.map(parseRange);
  const resolver = createResolver({
    zone: { domain: parts.clusterDomain, ranges, view },
    forwarder: createForwarder({ servers: serversOf(parts), clock, random, signal: stop.signal }),
    random,
    clock,
    log,
  });
  const sockets = await openDnsSockets({ ...listen, handle: resolver, log });
  return {
    host: listen.host,
    port: sockets.port,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await sockets[Symbol.asyncDispose]();
    },
  };
}

function serversOf({
  upstream = { file: "/etc/resolv.conf" },
  ownAddresses,
  clock,
}: ClusterDnsParts): () => Promise<readonly Upstream[]> {
  if ("servers" in upstream) return async () => upstream.servers;
  const follow = followResolvConf(upstream.file, clock);
  return async () => (await follow()).filter(({ host }) => !ownAddresses.includes(host));
}
