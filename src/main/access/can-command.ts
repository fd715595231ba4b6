import process from "node:process";
import { readAccess, type Grant } from "#addons/access/grants.ts";
import { heldBy, type Held } from "#addons/access/held-access.ts";
import { identityOf, type Identity } from "#addons/access/subjects.ts";
import type { CanOptions } from "#cli/access-commands.ts";
import { withAccessClient } from "#main/access/access-client.ts";
import { bindingText, thingsText, throughText } from "#main/access/access-text.ts";
import { textTable } from "#main/text-table.ts";

/** `kogge can USER`: everything somebody may do, and through which binding. */
export async function canCommand(user: string, options: CanOptions): Promise<void> {
  const identity = identityOf(user, options.group);
  const { held, broken } = heldBy(await withAccessClient(options, readAccess), identity);
  const shown = held.filter(
    ({ namespace }) =>
      options.namespace === undefined || namespace === "" || namespace === options.namespace,
  );
  if (options.json) {
    process.stdout.write(`${JSON.stringify(asJson(identity, shown, broken))}\n`);
    return;
  }
  if (identity.groups.includes("system:masters")) {
    process.stdout.write("May do everything: the group system:masters needs no role.\n\n");
  }
  process.stdout.write(`What ${user} may do, as a member of ${identity.groups.join(", ")}\n\n`);
  process.stdout.write(textTable(["WHERE", "VERBS", "WHAT", "THROUGH"], shown.map(row)));
  for (const { binding, role } of broken) {
    process.stdout.write(
      `\n${bindingText(binding)} gives nothing: there is no ${bindingText(role)}\n`,
    );
  }
}

function row({ namespace, rule, grant }: Held): readonly string[] {
  return [
    namespace === "" ? "whole cluster" : namespace,
    rule.verbs.join(","),
    thingsText(rule),
    throughText(grant),
  ];
}

function asJson(identity: Identity, held: readonly Held[], broken: readonly Grant[]): object {
  return {
    ...identity,
    allowed: held.map(({ namespace, rule, grant: { binding, role, subject } }) => ({
      namespace,
      rule,
      subject,
      binding,
      role,
    })),
    missingRoles: broken.map(({ binding, role }) => ({ binding, role })),
  };
}
