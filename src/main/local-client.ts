import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import { readRunning } from "#main/running-file.ts";

/** Works as the administrator of the cluster that runs on a data directory. @throws when none runs there */
export async function withClient<T>(
  dataDir: string | undefined,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const directory = chooseDataDirectory(dataDir);
  if (readRunning(directory) === undefined) {
    throw new Error(`No cluster runs on ${directory.root}; start it with \`kogge up\``);
  }
  using transport = createHttpsTransport(await loadKubeconfig(directory.kubeconfig));
  return await work(createClient(transport));
}
