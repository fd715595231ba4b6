import type { Taint } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { NodeIdentity } from "#agent/images/fetch-image.ts";
import type { MachineFacts } from "#agent/node/machine-facts.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import type { DnsSettings } from "#agent/pods/pod-dns.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";

export interface AgentOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where pods' volumes and logs are kept. Absent: the node keeps no files, as one of simulated containers. */
  readonly dataDir?: string;
  readonly machine: MachineFacts;
  readonly dns: DnsSettings;
  readonly podCidr?: string;
  /** Where this node's stream server listens: `status.daemonEndpoints`. */
  readonly streamPort: number;
  /** The node's addresses, the primary first. */
  readonly addresses: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** What the node is created with. */
  readonly taints?: readonly Taint[];
  /** The control group that pods get theirs below: `/kogge-…`. */
  readonly cgroupRoot?: string;
  /** How long a plugin of devices may take to answer. Default: 30 seconds, drivers of claims 45. */
  readonly deviceCallTimeoutMs?: number;
  /** As what other nodes know this one: with it, images come from them too. */
  readonly identity?: () => NodeIdentity;
  /** Default: upstream's. */
  readonly settings?: Partial<NodeSettings>;
}
