import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { parseGoDuration } from "#base/go-duration.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import {
  readAuthenticationConfiguration,
  type AnonymousAccess,
  type AuthenticationConfiguration,
} from "#apiserver/node/authentication/configuration.ts";
import { createJwtAuthenticator } from "#apiserver/node/authentication/jwt-authenticator.ts";
import { createReviewService } from "#apiserver/node/authentication/review-service.ts";
import { createWebhookAuthenticator } from "#apiserver/node/authentication/webhook-authenticator.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { followConfiguration } from "#main/followed-configuration.ts";
import type { Authentication, LoginParts } from "#main/logins.ts";

/**
 * Reads what the flags name; a file that is named is followed as long as the stack is open.
 * @throws when a file cannot be used; the message names the flag and the field
 */
export async function openAuthentication(
  parts: LoginParts,
  stack: AsyncDisposableStack,
): Promise<Authentication> {
  const configured = await configurationOf(parts, stack);
  const { anonymous } = configured.current;
  const conditions = itemsOf(anonymous?.conditions).map(({ path }) => path);
  const isAllowed = anonymous?.enabled ?? parts.flags.anonymousAuth !== "false";
  return {
    tokens: [byAnyIssuer(configured), ...(await webhookOf(parts))],
    allowsAnonymous: (path) => isAllowed && (conditions.length === 0 || conditions.includes(path)),
  };
}

/** What a configuration comes to. */
interface Configured {
  /** Those of the issuers, in their order, by what is configured of them. */
  readonly issuers: ReadonlyMap<string, TokenAuthenticator>;
  readonly anonymous: Given<AnonymousAccess> | null | undefined;
}

async function configurationOf(
  parts: LoginParts,
  stack: AsyncDisposableStack,
): Promise<{ readonly current: Configured }> {
  const { flags, ownIssuer } = parts;
  const { authenticationConfig: file } = flags;
  const legacy = legacyConfiguration(flags);
  const read = (value: unknown, before?: Configured): Configured =>
    configuredBy(readAuthenticationConfiguration(value, [ownIssuer]), parts, before);
  if (file === undefined) {
    return checked("--oidc-issuer-url", () => ({ current: read(legacy) }));
  }
  if (itemsOf(legacy.jwt).length > 0)
    throw new Error("Cannot use --oidc-issuer-url together with --authentication-config");
  const followed = await checked(`--authentication-config ${file}`, () =>
    followConfiguration<Configured>({
      ...parts,
      file,
      subject: "authentication",
      read: (text, before) => read(parse(text), before),
    }),
  );
  return stack.use(followed);
}

/** An issuer of whom nothing has changed stays as it is, with the keys it is known by. */
function configuredBy(
  { jwt, anonymous }: Given<AuthenticationConfiguration>,
  parts: LoginParts,
  before: Configured | undefined,
): Configured {
  if (before !== undefined && !isDeepStrictEqual(anonymous, before.anonymous))
    throw new Error("anonymous: Forbidden: changed from initial configuration file");
  const issuers = itemsOf(jwt).map((one) => {
    const key = JSON.stringify(one);
    return [key, before?.issuers.get(key) ?? createJwtAuthenticator(one, parts)] as const;
  });
  return { issuers: new Map(issuers), anonymous };
}

function byAnyIssuer(configured: { readonly current: Configured }): TokenAuthenticator {
  return async (token) => {
    for (const authenticate of configured.current.issuers.values()) {
      const user = await authenticate(token);
      if (user !== undefined) return user;
    }
    return undefined;
  };
}

async function checked<T>(flag: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new Error(`Cannot use ${flag}`, { cause });
  }
}

/** The `--oidc-…` flags in the words of the file that came after them. */
function legacyConfiguration(flags: ServerFlags) {
  const head = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
  };
  if (flags.oidcIssuerUrl === undefined) return { ...head, jwt: [] };
  const claim = flags.oidcUsernameClaim ?? "sub";
  const usual = claim === "email" ? "" : `${flags.oidcIssuerUrl}#`;
  const prefix = flags.oidcUsernamePrefix === "-" ? "" : (flags.oidcUsernamePrefix ?? usual);
  const { oidcGroupsClaim, oidcCaFile, oidcRequiredClaim } = flags;
  const required = (oidcRequiredClaim ?? "").split(",").filter((pair) => pair !== "");
  const issuer = {
    url: flags.oidcIssuerUrl,
    audiences: flags.oidcClientId === undefined ? [] : [flags.oidcClientId],
    ...(oidcCaFile && { certificateAuthority: readFileSync(oidcCaFile, "utf8") }),
  };
  const claimMappings = {
    username: { claim, prefix },
    ...(oidcGroupsClaim && {
      groups: { claim: oidcGroupsClaim, prefix: flags.oidcGroupsPrefix ?? "" },
    }),
  };
  const claimValidationRules = required.map((pair) => {
    const [name = "", ...value] = pair.split("=");
    return { claim: name, requiredValue: value.join("=") };
  });
  return { ...head, jwt: [{ issuer, claimMappings, claimValidationRules }] };
}

const webhookTimeoutMs = 10_000;
const webhookCacheMs = 120_000;

async function webhookOf(parts: LoginParts): Promise<readonly TokenAuthenticator[]> {
  const { flags, outgoing, ownIssuer, clock, log } = parts;
  const file = flags.authenticationTokenWebhookConfigFile;
  if (file === undefined) return [];
  const service = createReviewService(await loadKubeconfig(file), outgoing, webhookTimeoutMs);
  const version = flags.authenticationTokenWebhookVersion === "v1beta1" ? "v1beta1" : "v1";
  const cacheMs = parseGoDuration(flags.authenticationTokenWebhookCacheTtl ?? "") ?? webhookCacheMs;
  const audiences = [ownIssuer];
  return [createWebhookAuthenticator({ service, version, cacheMs, audiences, clock, log })];
}
