import { parse } from "yaml";
import type { Clock } from "#base/clock.ts";
import { parseGoDuration } from "#base/go-duration.ts";
import type { Log } from "#base/log.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import { createReviewService } from "#apiserver/node/authentication/review-service.ts";
import {
  compileCondition,
  readAuthorizationConfiguration,
  type ConfiguredAuthorizer,
} from "#apiserver/node/authorization/configuration.ts";
import { createWebhookAuthorizer } from "#apiserver/node/authorization/webhook-authorizer.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";
import type { AuthorizerOrder } from "#apiserver/rbac/access-control.ts";
import { createUnionAuthorizer } from "#apiserver/rbac/union-authorizer.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { followConfiguration, type Followed } from "#main/followed-configuration.ts";

export interface AuthorizationParts {
  /** An `AuthorizationConfiguration`; absent: nodes and roles decide. */
  readonly file: string | undefined;
  readonly outgoing: Outgoing;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Who decides on access, in the file's order. The file is followed as long as the stack is open.
 * @throws when the file cannot be used; the message names the field
 */
export async function openAuthorization(
  parts: AuthorizationParts,
  stack: AsyncDisposableStack,
): Promise<AuthorizerOrder | undefined> {
  const { file } = parts;
  if (file === undefined) return undefined;
  try {
    const followed = await followConfiguration<Configured>({
      ...parts,
      file,
      subject: "authorization",
      read: (text, before) => configuredBy(text, parts, before),
    });
    return inOrderOf(stack.use(followed));
  } catch (cause) {
    throw new Error(`Cannot use --authorization-config ${file}`, { cause });
  }
}

/** What a configuration comes to. */
interface Configured {
  readonly makers: readonly Maker[];
  /** Of the authorizers that are not outside, in alphabetical order. */
  readonly ownTypes: readonly string[];
}

async function configuredBy(
  text: string,
  parts: AuthorizationParts,
  before: Configured | undefined,
): Promise<Configured> {
  const authorizers = itemsOf(readAuthorizationConfiguration(parse(text)).authorizers);
  const ownTypes = authorizers
    .flatMap(({ type }) => (type && type !== "Webhook" ? [type] : []))
    .toSorted();
  if (before !== undefined) assertSameTypes(before.ownTypes, ownTypes);
  return { makers: await Promise.all(authorizers.map((one) => maker(one, parts))), ownTypes };
}

/** As upstream: a server does not become another kind of server while it runs. */
function assertSameTypes(before: readonly string[], now: readonly string[]): void {
  const missing = before.filter((type) => !now.includes(type));
  if (missing.length > 0) throw new Error(`missing required types: [${missing.join(" ")}]`);
  for (const type of now.filter((one) => !before.includes(one))) {
    throw new Error(
      `authorizer type ${type} is not allowed if it was not enabled at initial server startup`,
    );
  }
}

/** One authorizer, which is that of the configuration in use. */
function inOrderOf(followed: Followed<Configured>): AuthorizerOrder {
  return (own) => {
    const known = new WeakMap<Configured, Authorizer>();
    const current = (): Authorizer => {
      const configured = followed.current;
      let union = known.get(configured);
      if (union === undefined) {
        union = createUnionAuthorizer(configured.makers.map((make) => make(own)));
        known.set(configured, union);
      }
      return union;
    };
    return [
      {
        authorize: (attributes) => current().authorize(attributes),
        rules: async (user, namespace) =>
          (await current().rules?.(user, namespace)) ?? { resourceRules: [], nonResourceRules: [] },
      },
    ];
  };
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
    parseGoDuration(text ?? "") ?? usual;
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
