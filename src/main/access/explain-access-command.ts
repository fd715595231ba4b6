import process from "node:process";
import type { SubjectAccessReview } from "#api/generated/types.ts";
import { subjectAccessReviews } from "#api/resources.ts";
import { askedText, readAsked, type Asked } from "#addons/access/asked.ts";
import { explain, type Explanation, type Lack, type NearMiss } from "#addons/access/explain.ts";
import { readForbiddenText } from "#addons/access/forbidden-text.ts";
import { readAccess, type NamedRole } from "#addons/access/grants.ts";
import { identityOf, subjectText, type Identity } from "#addons/access/subjects.ts";
import type { Client } from "#client/client.ts";
import { discoverResources } from "#client/discovery.ts";
import type { ExplainAccessOptions } from "#cli/access-commands.ts";
import { withAccessClient } from "#main/access/access-client.ts";
import { bindingText, ruleText, throughText } from "#main/access/access-text.ts";

interface Answer extends Explanation {
  readonly identity: Identity;
  readonly asked: Asked;
  /** What the server decides, and its own words for why. */
  readonly allowed: boolean;
  readonly reason: string;
}

/** `kogge explain-access VERB RESOURCE --as USER`: why it is allowed or denied. Exit code 1 when it is denied. */
export async function explainAccessCommand(
  verb: string | undefined,
  target: string | undefined,
  options: ExplainAccessOptions,
): Promise<void> {
  const answer = await withAccessClient(options, async (client) => {
    const { user, asked } = await questionOf(client, { ...options, verb, target });
    const identity = identityOf(user, options.asGroup);
    const [state, decision] = await Promise.all([
      readAccess(client),
      review(client, identity, asked),
    ]);
    return { identity, asked, ...decision, ...explain(state, identity, asked) };
  });
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : answerText(answer));
  if (!answer.allowed) process.exitCode = 1;
}

interface Words extends ExplainAccessOptions {
  readonly verb: string | undefined;
  readonly target: string | undefined;
}

async function questionOf(
  client: Client,
  { verb, target, as, error, ...words }: Words,
): Promise<{ readonly user: string; readonly asked: Asked }> {
  if (error !== undefined) {
    const read = readForbiddenText(error);
    if (read === undefined)
      throw new Error(
        "Cannot read the text of --error: it is not a Forbidden answer of the server",
      );
    return read;
  }
  if (verb === undefined || target === undefined || as === undefined) {
    throw new Error(
      "Cannot explain without a question: give VERB, RESOURCE and --as USER, or --error TEXT",
    );
  }
  return {
    user: as,
    asked: readAsked({ verb, target, ...words }, await discoverResources(client)),
  };
}

async function review(
  client: Client,
  { user, groups }: Identity,
  asked: Asked,
): Promise<{ readonly allowed: boolean; readonly reason: string }> {
  const { verb, group, resource, subresource, name, namespace, path } = asked;
  const question = asked.isResource
    ? { resourceAttributes: { verb, group, version: "*", resource, subresource, name, namespace } }
    : { nonResourceAttributes: { verb, path } };
  const answer: SubjectAccessReview = await client.create(subjectAccessReviews, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: { user, groups, ...question },
  });
  return { allowed: answer.status?.allowed ?? false, reason: answer.status?.reason ?? "" };
}

function answerText(answer: Answer): string {
  const { identity, asked, allowed, reason } = answer;
  const head = `${allowed ? "Allowed" : "Denied"}: ${identity.user} ${allowed ? "may" : "may not"} ${askedText(asked)}\n`;
  const why = allowed ? allowedText(answer) : deniedText(answer);
  return [head, ...(reason === "" ? [] : [`The server says: ${reason}\n`]), why].join("");
}

function allowedText({ ways, identity }: Answer): string {
  if (ways.length > 0) {
    return ways
      .map(
        ({ grant, rule }) =>
          `  ${throughText(grant)}, for ${subjectText(grant.subject)}\n    ${ruleText(rule)}\n`,
      )
      .join("");
  }
  return identity.groups.includes("system:masters")
    ? "  The group system:masters may do everything and needs no role\n"
    : "  No role says so; another authorizer of the server (of nodes, or a webhook) does\n";
}

function deniedText({ nearMisses, roles, identity, asked }: Answer): string {
  const lines = [
    ...(nearMisses.length > 0
      ? ["Nearly:", ...nearMisses.slice(0, missesMax).map(missText)]
      : [`No role of ${identity.user} comes near`]),
    ...(roles.length > 0 ? ["What would allow it, the least first:"] : []),
    ...roles.map((role) => `  ${grantCommand(role, identity, asked)}`),
  ];
  return `${lines.join("\n")}\n`;
}

const missesMax = 10;

function missText({ grant, rule, lacks }: NearMiss): string {
  if (rule === undefined)
    return `  ${bindingText(grant.binding)} gives nothing: there is no ${bindingText(grant.role)}`;
  return `  ${throughText(grant)} allows ${ruleText(rule)}; ${lackTexts[lacks]}`;
}

const lackTexts: Readonly<Record<Lack, string>> = {
  verb: "not this verb",
  "API group": "not in this API group",
  resource: "not this resource",
  name: "not an object of this name",
  namespace: "not in this namespace",
  path: "not this path",
  role: "the role is missing",
};

function grantCommand(role: NamedRole, { user }: Identity, asked: Asked): string {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  const whom =
    account === undefined ? `--user=${user}` : `--serviceaccount=${namespace}:${account}`;
  const name = `${(account ?? user).replaceAll(/[^a-zA-Z0-9.-]/g, "-")}-${role.name}`;
  return asked.namespace === ""
    ? `kubectl create clusterrolebinding ${name} --clusterrole=${role.name} ${whom}`
    : `kubectl create rolebinding ${name} --${role.kind.toLowerCase()}=${role.name} ${whom} --namespace=${asked.namespace}`;
}
