import type { Pod } from "#api/generated/types.ts";

/** The name that a pod's containers have, cut to what the kernel takes. */
export function podHostname(pod: Pod, clusterDomain: string): string {
  const { hostname, hostnameOverride, setHostnameAsFQDN, subdomain } = pod.spec ?? {};
  if (hostnameOverride) return hostnameOverride;
  const short = (hostname ?? pod.metadata.name ?? "").slice(0, hostnameMax).replace(/[-.]+$/, "");
  if (!setHostnameAsFQDN || !subdomain) return short;
  return `${short}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
}

const hostnameMax = 63;

/** The `/etc/hosts` of a pod with a network of its own. */
export function hostsFile(
  pod: Pod,
  facts: { readonly ips: readonly string[]; readonly clusterDomain: string },
): string {
  const { clusterDomain } = facts;
  const { subdomain } = pod.spec ?? {};
  const hostname = podHostname(pod, clusterDomain);
  const full = subdomain
    ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}\t${hostname}`
    : hostname;
  return [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...facts.ips.map((ip) => `${ip}\t${full}`),
    ...aliases(pod),
    "",
  ].join("\n");
}

/** The node's own file with the pod's aliases: for pods in the host's network. */
export function hostNetworkHostsFile(pod: Pod, nodeFile: string): string {
  const head = "# Kubernetes-managed hosts file (host network).\n";
  return [head + nodeFile.trimEnd(), ...aliases(pod), ""].join("\n");
}

function aliases(pod: Pod): readonly string[] {
  const entries = pod.spec?.hostAliases ?? [];
  if (entries.length === 0) return [];
  const lines = entries.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}`);
  return ["", "# Entries added by HostAliases.", ...lines];
}
