import { createHash } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { TokenReview } from "#api/generated/types.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import type { ReviewService } from "#apiserver/node/authentication/review-service.ts";
import type { UserInfo } from "#apiserver/request.ts";

export interface WebhookAuthenticatorParts {
  readonly service: ReviewService;
  /** The versions of `authentication.k8s.io` that the service speaks. */
  readonly version: "v1" | "v1beta1";
  /** How long an answer holds, for known and for unknown tokens. */
  readonly cacheMs: number;
  readonly audiences: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

const cachedMax = 4096;

/** Asks a service whose token it is (upstream's `--authentication-token-webhook-config-file`). */
export function createWebhookAuthenticator(parts: WebhookAuthenticatorParts): TokenAuthenticator {
  const { clock, cacheMs, log } = parts;
  const known = new Map<
    string,
    { readonly untilMs: number; readonly user: UserInfo | undefined }
  >();
  return async (token) => {
    const key = createHash("sha256").update(token).digest("base64");
    const cached = known.get(key);
    if (cached !== undefined && cached.untilMs > clock.now()) return cached.user;
    try {
      const user = await reviewed(token, parts);
      if (known.size >= cachedMax) known.clear();
      known.set(key, { untilMs: clock.now() + cacheMs, user });
      return user;
    } catch (error) {
      log.error("token could not be reviewed", { service: parts.service.url, error });
      return undefined;
    }
  };
}

async function reviewed(
  token: string,
  { service, version, audiences }: WebhookAuthenticatorParts,
): Promise<UserInfo | undefined> {
  const answer = (await service.ask({
    apiVersion: `authentication.k8s.io/${version}`,
    kind: "TokenReview",
    metadata: {},
    spec: { token, audiences: [...audiences] },
  })) as Partial<TokenReview>;
  const { status } = answer;
  if (!status?.authenticated) return undefined;
  const { username, uid, groups, extra } = status.user ?? {};
  // A service that does not know audiences vouches for the server's own.
  const forUs = status.audiences?.some((audience) => audiences.includes(audience)) ?? true;
  if (!username || !forUs) return undefined;
  return {
    name: username,
    groups: groups ?? [],
    ...(uid && { uid }),
    ...(extra && { extra }),
  };
}
