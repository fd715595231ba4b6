import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import { readAuditLine } from "#addons/access/audited-requests.ts";
import type { Asked } from "#addons/access/asked.ts";
import { readAccess } from "#addons/access/grants.ts";
import { roleManifests, roleNameFor } from "#addons/access/role-manifests.ts";
import { smallestRoles } from "#addons/access/smallest-role.ts";
import type { FromAuditOptions } from "#cli/access-commands.ts";
import { withAccessClient } from "#main/access/access-client.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import { readSettings } from "#main/settings.ts";

/** `kogge rbac from-audit --user U`: the smallest role that covers what somebody did, as YAML for `kubectl apply`. */
export async function fromAuditCommand(options: FromAuditOptions): Promise<void> {
  const files = options.file ?? [clusterLog(options)];
  const requests = await requestsOf(files, options);
  if (requests.length === 0) {
    throw new Error(
      `Cannot make a role: ${files.join(", ")} tells of nothing that "${options.user}" ${options.denied ? "asked for" : "was allowed"}`,
    );
  }
  const roles = smallestRoles(requests, {
    alreadyHeld: await heldByEverybody(options),
    names: options.withNames ?? false,
  });
  if (roles.length === 0) {
    process.stderr.write(`"${options.user}" did only what everybody may do: no role is needed\n`);
    return;
  }
  const name = options.name ?? roleNameFor(options.user);
  const manifests = roleManifests(roles, name, options.user);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests })}\n`
      : manifests.map((manifest) => stringify(manifest)).join("---\n"),
  );
}

/** Where the cluster's settings say that it writes. */
function clusterLog({ dataDir }: FromAuditOptions): string {
  const directory = chooseDataDirectory(dataDir);
  return readSettings(directory)?.flags?.auditLogPath ?? join(directory.logs, "audit.log");
}

async function requestsOf(
  files: readonly string[],
  { user, denied }: FromAuditOptions,
): Promise<readonly Asked[]> {
  const found = new Map<string, Asked>();
  for (const file of files) {
    if (!existsSync(file)) {
      throw new Error(
        `Cannot read "${file}": there is no such audit log; start the cluster with --audit-log-path, or name one with --file`,
      );
    }
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const request = readAuditLine(line);
      if (request?.user !== user || !(request.allowed || denied)) continue;
      found.set(JSON.stringify(request.asked), request.asked);
    }
  }
  return [...found.values()];
}

/** Discovery and questions about oneself are everybody's; without a cluster to ask, they are left in the role. */
async function heldByEverybody(options: FromAuditOptions) {
  if (options.offline) return [];
  const { grants } = await withAccessClient(options, readAccess);
  return grants
    .filter(
      ({ subject, binding }) =>
        binding.namespace === "" &&
        subject.kind === "Group" &&
        subject.name === "system:authenticated",
    )
    .flatMap(({ rules }) => rules ?? []);
}
