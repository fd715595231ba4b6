import type { AccessOptions } from "#cli/access-commands.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { withClient } from "#main/local-client.ts";

/** Works on the cluster that `--kubeconfig` names, any Kubernetes cluster, or else on the one of the data directory. */
export async function withAccessClient<T>(
  { kubeconfig, dataDir }: AccessOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  if (kubeconfig === undefined) return withClient(dataDir, work);
  using transport = createHttpsTransport(await loadKubeconfig(kubeconfig));
  return await work(createClient(transport));
}
