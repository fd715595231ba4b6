import { Agent, request } from "node:https";
import type { ConnectorParts } from "#apiserver/node/connect/connector.ts";
import { nodeDestination } from "#apiserver/node/connect/node-destination.ts";
import type { NodeSummary, ReadNodeSummary } from "#apiserver/metrics-api/node-summary.ts";

/** Reads the statistics of processors and memory that a node tells the API server. */
export function summaryReader(parts: Omit<ConnectorParts, "endpoint">): ReadNodeSummary {
  // Many nodes may stand behind one address: connections are used again, and end soon after.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 8, timeout: idleMs });
  return async (nodeName, signal) => {
    const path = "/stats/summary?only_cpu_and_memory=true";
    const { host, port, headers, tls } = await nodeDestination(parts, nodeName, path);
    return new Promise<NodeSummary>((resolve, reject) => {
      const outgoing = request({ host, port, path, headers, ...tls, agent, signal }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => {
          text += part;
          if (text.length > answerMaxLetters) outgoing.destroy(new Error("its answer is too long"));
        });
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve(JSON.parse(text) as NodeSummary);
          else reject(new Error(`Cannot read statistics of node "${nodeName}": ${text}`));
        });
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  };
}

const idleMs = 5_000;
const answerMaxLetters = 64 * 1024 * 1024;
