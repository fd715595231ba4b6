import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";
import type { LoginPage, TokenReviewer } from "#apiserver/parts.ts";
import type { AuthorizerOrder } from "#apiserver/rbac/access-control.ts";
import type { ServerFlags } from "#cli/server-flags.ts";

/** Who may log in beside certificates, service accounts and bootstrap tokens. */
export interface Authentication {
  readonly tokens: readonly TokenAuthenticator[];
  readonly allowsAnonymous: (path: string) => boolean;
}

export interface LoginParts {
  readonly flags: ServerFlags;
  /** Signs what `kogge login` gets: PKCS #8 in PEM. */
  readonly key: string;
  readonly outgoing: Outgoing;
  /** The issuer of service accounts' tokens, whose audience tokens for the API have. */
  readonly ownIssuer: string;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Logins {
  /** Answers at the login's path; absent: nobody logs in with a password. */
  readonly passwords: LoginPage | undefined;
  readonly authentication: Authentication;
  /** Absent: nodes and roles decide. */
  readonly authorizers: AuthorizerOrder | undefined;
}

const flagNames: readonly (keyof ServerFlags)[] = [
  "authenticationConfig",
  "oidcIssuerUrl",
  "anonymousAuth",
  "authenticationTokenWebhookConfigFile",
  "authorizationConfig",
  "loginConfig",
];

/**
 * Reads what the flags name; the code for it is loaded only when there is one. What is opened goes onto the stack.
 * @throws when a file cannot be used; the message names the flag and the field
 */
export async function openLogins(parts: LoginParts, stack: AsyncDisposableStack): Promise<Logins> {
  const { flags } = parts;
  if (flagNames.every((name) => flags[name] === undefined)) {
    return {
      authentication: { tokens: [], allowsAnonymous: () => true },
      authorizers: undefined,
      passwords: undefined,
    };
  }
  const { openAuthentication } = await import("#main/authentication.ts");
  const { openAuthorization } = await import("#main/authorization.ts");
  const { tokens, allowsAnonymous } = await openAuthentication(parts, stack);
  const passwords = await openPasswords(parts);
  return {
    authentication: {
      tokens: [...tokens, ...(passwords ? [passwords.authenticate] : [])],
      allowsAnonymous: (path) => allowsAnonymous(path) || path === passwords?.path,
    },
    authorizers: await openAuthorization({ ...parts, file: flags.authorizationConfig }, stack),
    passwords,
  };
}

async function openPasswords(parts: LoginParts) {
  const { loginConfig: file } = parts.flags;
  if (file === undefined) return undefined;
  const { openPasswordLogin } = await import("#main/password-login.ts");
  return openPasswordLogin(file, parts);
}

/** Reviews tokens of service accounts by what they say, and all others by asking who their bearer would be. */
export function reviewerOfAll(
  ofAccounts: TokenReviewer,
  others: readonly TokenAuthenticator[],
  ownAudience: string,
): TokenReviewer {
  return {
    async review(token, audiences) {
      const found = await ofAccounts.review(token, audiences);
      if (found !== undefined) return found;
      const wanted = audiences.length === 0 ? [ownAudience] : audiences;
      // The others know nothing of audiences: their tokens are for this server.
      if (!wanted.includes(ownAudience)) return undefined;
      for (const authenticate of others) {
        const user = await authenticate(token);
        if (user === undefined) continue;
        const groups = [...new Set([...user.groups, "system:authenticated"])];
        return { user: { ...user, groups }, audiences: [ownAudience] };
      }
      return undefined;
    },
  };
}
