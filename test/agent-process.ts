import { once } from "node:events";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { createAgent } from "#agent/agent.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { agentOptions } from "#test/real-node.ts";

/**
 * A node agent in a process of its own, to be killed: `node test/agent-process.ts KUBECONFIG SOCKET DIR CGROUP`. It says
 * that it is there and begins when it is told to, by anything on its standard input.
 */
const [, , kubeconfig = "", socket = "", dataDir = "", cgroupRoot = ""] = process.argv;
// The next one loads sooner: who is killed does not write it at the end.
flushCompileCache();
process.stdout.write("loaded\n");
await once(process.stdin, "data");
const client = createClient(createHttpsTransport(await loadKubeconfig(kubeconfig)));
const runtime = await connectContainerd({
  socket,
  clock: systemClock,
  log: silentLog,
  cdiDir: join(dataDir, "cdi"),
  streamClient,
});
await createAgent(agentOptions({ client, runtime, dataDir, cgroupRoot }));
setInterval(() => {}, 0x7fff_ffff);
