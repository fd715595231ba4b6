import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { itemsOf } from "#api/validation/given.ts";
import { durationMs } from "#apiserver/node/authorization/configuration.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import { readAuthenticationConfiguration } from "#apiserver/node/authentication/configuration.ts";
import { createJwtAuthenticator } from "#apiserver/node/authentication/jwt-authenticator.ts";
import { createReviewService } from "#apiserver/node/authentication/review-service.ts";
import { createWebhookAuthenticator } from "#apiserver/node/authentication/webhook-authenticator.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import type { Authentication, LoginParts } from "#main/logins.ts";

/** Reads what the flags name. @throws when a file cannot be used; the message names the flag and the field */
export async function openAuthentication(parts: LoginParts): Promise<Authentication> {
  const configuration = configurationOf(parts);
  const anonymous = configuration.anonymous;
  const conditions = itemsOf(anonymous?.conditions).map(({ path }) => path);
  const isAllowed = anonymous?.enabled ?? parts.flags.anonymousAuth !== "false";
  return {
    tokens: [
      ...itemsOf(configuration.jwt).map((jwt) => createJwtAuthenticator(jwt, parts)),
      ...(await webhookOf(parts)),
    ],
    allowsAnonymous: (path) => isAllowed && (conditions.length === 0 || conditions.includes(path)),
  };
}

function configurationOf({ flags, ownIssuer }: LoginParts) {
  const { authenticationConfig: file } = flags;
  const legacy = legacyConfiguration(flags);
  if (file === undefined)
    return checked("--oidc-issuer-url", () => readAuthenticationConfiguration(legacy, [ownIssuer]));
  if (itemsOf(legacy.jwt).length > 0)
    throw new Error("Cannot use --oidc-issuer-url together with --authentication-config");
  const flag = `--authentication-config ${file}`;
  return checked(flag, () => readAuthenticationConfiguration(readYaml(file), [ownIssuer]));
}

function checked<T>(flag: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`Cannot use ${flag}: ${(cause as Error).message}`, { cause });
  }
}

/** The file of a flag, YAML or JSON. */
export function readYaml(file: string): unknown {
  return parse(readFileSync(file, "utf8"));
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
  const cacheMs = durationMs(flags.authenticationTokenWebhookCacheTtl ?? "") ?? webhookCacheMs;
  const audiences = [ownIssuer];
  return [createWebhookAuthenticator({ service, version, cacheMs, audiences, clock, log })];
}
