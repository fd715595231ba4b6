import process from "node:process";
import { openPkiDirectory } from "#apiserver/node/pki/pki-directory.ts";
import type { KubeconfigOptions } from "#cli/program.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import { kubeconfigOf, mergeKubeconfig } from "#main/kubeconfig.ts";
import type { Access } from "#main/kubeconfig.ts";
import { readSettings } from "#main/settings.ts";

/** `kogge kubeconfig`: the administrator's access, or a client certificate for another user. */
export async function kubeconfig(options: KubeconfigOptions): Promise<void> {
  const access = accessFor(options);
  if (!options.merge) {
    process.stdout.write(kubeconfigOf(access));
    return;
  }
  const file = mergeKubeconfig(access);
  process.stdout.write(
    `Merged into ${file}; the current context is now "${access.cluster ?? "kogge"}"\n`,
  );
}

function accessFor(options: KubeconfigOptions): Access {
  const directory = chooseDataDirectory(options.dataDir);
  const settings = readSettings(directory);
  if (settings === undefined)
    throw new Error(`There is no cluster in ${directory.root}; make one with \`kogge up\``);
  const pki = openPkiDirectory(directory.pki, Date.now());
  const shared = {
    server: `https://127.0.0.1:${settings.port}`,
    authority: pki.authority.certificate,
  };
  if (options.user === undefined) {
    if (options.group !== undefined)
      throw new Error("Cannot make a kubeconfig for groups alone: name the user with --user");
    return { ...shared, user: "admin", credentials: adminCertificate(pki) };
  }
  const credentials = pki.authority.issue({
    subject: { commonName: options.user, organizations: options.group ?? [] },
    use: "client",
  });
  return { ...shared, user: options.user, credentials };
}

/** The cluster's administrator, kept in `pki/`. */
export function adminCertificate(pki: ReturnType<typeof openPkiDirectory>): Access["credentials"] {
  return pki.certificate("admin", {
    subject: { commonName: "kubernetes-admin", organizations: ["system:masters"] },
    use: "client",
  });
}
