import type { Log } from "#base/log.ts";
import { ProgramError, type Run } from "#network/run.ts";

export interface PassOptions {
  readonly clusterPodCidr: string;
  /** The cluster's table: its name marks our rules in the other firewall. */
  readonly table: string;
  readonly run: Run;
  readonly log: Log;
}

/**
 * Docker and ufw drop all packets that a machine forwards for others, and no table of ours can overrule that. As
 * kube-proxy does, their chain gets rules that let the pods' packets pass; where nothing is dropped, nothing is added.
 */
export async function letPodsPass({ clusterPodCidr, table, run, log }: PassOptions): Promise<void> {
  const forward = await listChain("FORWARD", run);
  if (forward.includes("policy drop") && !forward.includes(`comment "${table}"`)) {
    // In the form that iptables itself gives a rule with a comment, so that it can still list the chain.
    const rules = ["saddr", "daddr"].map(
      (side) =>
        `insert rule ip filter FORWARD ip ${side} ${clusterPodCidr} counter accept comment "${table}"\n`,
    );
    await run("nft", ["-f", "-"], rules.join(""));
    log.info("pods let through another firewall", { chain: "FORWARD", podCidr: clusterPodCidr });
  }
  // What may reach the machine itself is its owner's to say.
  if ((await listChain("INPUT", run)).includes("policy drop")) {
    log.warn("a firewall may keep pods from DNS and the API server", {
      remedy: `iptables -I INPUT -s ${clusterPodCidr} -j ACCEPT`,
    });
  }
}

/** Takes our rules out again. */
export async function forgetPods(table: string, run: Run): Promise<void> {
  const forward = await listChain("FORWARD", run);
  for (const line of forward.split("\n")) {
    const handle = / # handle (\d+)$/.exec(line)?.[1];
    if (handle === undefined || !line.includes(`comment "${table}"`)) continue;
    await run("nft", ["delete", "rule", "ip", "filter", "FORWARD", "handle", handle]);
  }
}

/** The chain as iptables keeps it in nftables; "" without one. */
async function listChain(chain: string, run: Run): Promise<string> {
  try {
    return await run("nft", ["-a", "list", "chain", "ip", "filter", chain]);
  } catch (error) {
    if (error instanceof ProgramError && error.message.includes("No such file")) return "";
    throw error;
  }
}
