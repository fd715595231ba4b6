/**
 * What carries service traffic on a node. First nftables; eBPF comes beside it. Both are given the whole wanted
 * state and work out what changes. One conformance suite: `datapathConformance`.
 */
export interface Datapath extends AsyncDisposable {
  /** Makes the node forward as described. Resolves when the kernel has it; a newer call may overtake an older one. */
  apply(services: readonly ServiceRule[]): Promise<void>;
}

/** One port of one service, with the endpoints it leads to. */
export interface ServiceRule {
  /** `namespace/name:port`, for counters and messages. */
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly clusterIps: readonly string[];
  readonly port: number;
  readonly nodePort?: number;
  readonly externalIps: readonly string[];
  /** Clients keep their endpoint for this long; absent: no affinity. */
  readonly affinitySeconds?: number;
  /** Ready endpoints. Without any, connections are refused at once. */
  readonly endpoints: readonly { readonly ip: string; readonly port: number }[];
}
