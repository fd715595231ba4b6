/** The addresses that one cluster's table distinguishes. All are IPv4 ranges. */
export interface TableRanges {
  /** The pods of this node. */
  readonly podCidr: string;
  /** The pods of all nodes. */
  readonly clusterPodCidr: string;
  readonly serviceCidr: string;
}

/**
 * What does not depend on the services: the hooks, the maps that the first packet of a connection is looked up in,
 * refusal and masquerading. However many services there are, a packet costs one lookup.
 */
export function fixedChains(table: string, ranges: TableRanges): string {
  const { podCidr, clusterPodCidr, serviceCidr } = ranges;
  return `table ip ${table} {
  map service_ips {
    type ipv4_addr . inet_proto . inet_service : verdict
  }
  map node_ports {
    type inet_proto . inet_service : verdict
  }
  set refused_ips {
    type ipv4_addr . inet_proto . inet_service
  }
  set refused_ports {
    type inet_proto . inet_service
  }
  set hairpins {
    type ipv4_addr . ipv4_addr
  }
  set remote_endpoints {
    type ipv4_addr . inet_proto . inet_service
  }

  chain services {
    ip daddr . meta l4proto . th dport vmap @service_ips
    fib daddr type local meta l4proto . th dport vmap @node_ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }
  chain output {
    type nat hook output priority -100; policy accept;
    jump services
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr . ip daddr @hairpins masquerade fully-random
    oifname "lo" accept
    ip saddr 127.0.0.0/8 masquerade fully-random
    ip saddr ${clusterPodCidr} ip daddr ${clusterPodCidr} accept
    ip saddr ${podCidr} masquerade fully-random
    ct status dnat ip daddr . meta l4proto . th dport @remote_endpoints masquerade fully-random
  }

  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain unserved {
    ip daddr ${serviceCidr} goto refuse
    ip daddr . meta l4proto . th dport @refused_ips goto refuse
    fib daddr type local meta l4proto . th dport @refused_ports goto refuse
  }
  chain input {
    type filter hook input priority filter; policy accept;
    jump unserved
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    jump unserved
  }
  chain local_output {
    type filter hook output priority filter; policy accept;
    jump unserved
  }

  chain guard_loopback {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
  }
}
`;
}
