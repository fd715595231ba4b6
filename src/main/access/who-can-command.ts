import process from "node:process";
import { askedText, readAsked } from "#addons/access/asked.ts";
import { readAccess } from "#addons/access/grants.ts";
import { subjectText } from "#addons/access/subjects.ts";
import { whoCan } from "#addons/access/who-can.ts";
import { discoverResources } from "#client/discovery.ts";
import type { WhoCanOptions } from "#cli/access-commands.ts";
import { withAccessClient } from "#main/access/access-client.ts";
import { ruleText, throughText } from "#main/access/access-text.ts";
import { textTable } from "#main/text-table.ts";

/** `kogge who-can VERB RESOURCE`: everybody whom a role allows it. */
export async function whoCanCommand(
  verb: string,
  target: string,
  options: WhoCanOptions,
): Promise<void> {
  const { asked, ways } = await withAccessClient(options, async (client) => {
    const [state, served] = await Promise.all([readAccess(client), discoverResources(client)]);
    const question = readAsked({ verb, target, ...options }, served);
    return { asked: question, ways: whoCan(state, question) };
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ asked, ways: ways.map(wayJson) })}\n`);
    return;
  }
  process.stdout.write(`Who can ${askedText(asked)}\n\n`);
  process.stdout.write(
    textTable(
      ["SUBJECT", "THROUGH", "RULE"],
      ways.map(({ grant, rule }) => [
        subjectText(grant.subject),
        throughText(grant),
        ruleText(rule),
      ]),
    ),
  );
  process.stdout.write(`\nAnd everybody in the group system:masters, who needs no role.\n`);
}

function wayJson({ grant, rule }: ReturnType<typeof whoCan>[number]): object {
  const { subject, binding, role } = grant;
  return { subject, binding, role, rule };
}
