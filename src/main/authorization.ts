import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import { createReviewService } from "#apiserver/node/authentication/review-service.ts";
import {
  compileCondition,
  durationMs,
  readAuthorizationConfiguration,
  type ConfiguredAuthorizer,
} from "#apiserver/node/authorization/configuration.ts";
import { createWebhookAuthorizer } from "#apiserver/node/authorization/webhook-authorizer.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";
import type { AuthorizerOrder } from "#apiserver/rbac/access-control.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { readYaml } from "#main/authentication.ts";

export interface AuthorizationParts {
  /** An `AuthorizationConfiguration`; absent: nodes and roles decide. */
  readonly file: string | undefined;
  readonly outgoing: Outgoing;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who decides on access, in the file's order. @throws when the file cannot be used; the message names the field */
export async function openAuthorization(
  parts: AuthorizationParts,
): Promise<AuthorizerOrder | undefined> {
  const { file } = parts;
  if (file === undefined) return undefined;
  try {
    const { authorizers } = readAuthorizationConfiguration(readYaml(file));
    const makers = await Promise.all(itemsOf(authorizers).map((one) => maker(one, parts)));
    return (own) => makers.map((make) => make(own));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new Error(`Cannot use --authorization-config ${file}: ${why}`, { cause });
  }
}

type Maker = (own: Parameters<AuthorizerOrder>[0]) => Authorizer;

async function maker(
  { type, name, webhook }: Given<ConfiguredAuthorizer>,
  { outgoing, clock, log }: AuthorizationParts,
): Promise<Maker> {
  if (type === "Node") return ({ node }) => node;
  if (type === "RBAC") return ({ rbac }) => rbac;
  const access = await loadKubeconfig(webhook?.connectionInfo?.kubeConfigFile ?? "");
  const ms = (text: string | null | undefined, usual: number): number =>
    durationMs(text ?? "") ?? usual;
  const authorizer = createWebhookAuthorizer({
    name: name ?? "",
    service: createReviewService(access, outgoing, ms(webhook?.timeout, timeoutMs)),
    version: webhook?.subjectAccessReviewVersion === "v1beta1" ? "v1beta1" : "v1",
    authorizedMs: ms(webhook?.authorizedTTL, authorizedMs),
    unauthorizedMs: ms(webhook?.unauthorizedTTL, unauthorizedMs),
    failurePolicy: webhook?.failurePolicy === "Deny" ? "Deny" : "NoOpinion",
    conditions: itemsOf(webhook?.matchConditions).flatMap(({ expression }) => {
      const compiled = compileCondition(expression ?? "");
      return "program" in compiled ? [compiled.program] : [];
    }),
    clock,
    log,
  });
  return () => authorizer;
}

/** Upstream's defaults. */
const timeoutMs = 10_000;
const authorizedMs = 300_000;
const unauthorizedMs = 30_000;
