import { isIPv4 } from "node:net";
import { messageOf, type Log } from "#base/log.ts";
import type { ServiceRule } from "#network/datapath.ts";
import { isProgramMissing, type Run } from "#network/run.ts";

/** A UDP front that no longer leads to an endpoint. */
export interface Flow {
  /** Absent for a node port: any address of the machine. */
  readonly ip?: string;
  readonly port: number;
  readonly endpointIp: string;
}

/** UDP flows that were possible before and are not now. TCP connections end by themselves. */
export function goneFlows(
  before: readonly ServiceRule[],
  now: readonly ServiceRule[],
): readonly Flow[] {
  const left = new Map<string, Flow>();
  const kept = new Set(now);
  for (const rule of before) {
    if (!kept.has(rule)) for (const flow of flowsOf(rule)) left.set(JSON.stringify(flow), flow);
  }
  if (left.size === 0) return [];
  for (const rule of now) for (const flow of flowsOf(rule)) left.delete(JSON.stringify(flow));
  return [...left.values()];
}

/**
 * The kernel remembers where a UDP flow went for as long as packets come; without this, a client that keeps its port
 * would go on sending to an endpoint that is gone. Needs the program `conntrack`; without it such flows end only when
 * they fall silent for two minutes.
 */
export async function endStaleFlows(
  flows: readonly Flow[],
  { run, log }: { readonly run: Run; readonly log: Log },
): Promise<void> {
  if (flows.length > flowsMax) log.warn("some stale UDP flows are left", { flows: flows.length });
  for (const flow of flows.slice(0, flowsMax)) {
    try {
      await run("conntrack", argumentsFor(flow));
    } catch (error) {
      if (isProgramMissing(error)) {
        log.warn("stale UDP flows are left", { reason: "the program conntrack is not installed" });
        return;
      }
      // It ends with 1 when no such flow was there.
      if (!messageOf(error).includes(" 0 flow entries")) {
        log.warn("stale UDP flow left", { ...flow, error });
      }
    }
  }
}

/** Flows ended in one round; each is one run of a program. */
const flowsMax = 500;

function argumentsFor({ ip, port, endpointIp }: Flow): readonly string[] {
  const address = ip === undefined ? [] : ["--orig-dst", ip];
  return [
    "-D",
    "-p",
    "udp",
    ...address,
    "--orig-port-dst",
    String(port),
    "--reply-src",
    endpointIp,
  ];
}

function flowsOf(rule: ServiceRule): readonly Flow[] {
  if (rule.protocol !== "UDP") return [];
  const fronts: readonly Omit<Flow, "endpointIp">[] = [
    ...[...rule.clusterIps, ...rule.externalIps]
      .filter((ip) => isIPv4(ip))
      .map((ip) => ({ ip, port: rule.port })),
    ...(rule.nodePort === undefined ? [] : [{ port: rule.nodePort }]),
  ];
  return rule.endpoints
    .filter(({ ip }) => isIPv4(ip))
    .flatMap(({ ip }) => fronts.map((front) => ({ ...front, endpointIp: ip })));
}
