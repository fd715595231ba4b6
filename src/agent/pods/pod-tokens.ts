import type { AuthenticationV1TokenRequest as TokenRequest } from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { serviceAccounts } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import type { IssuedToken, TokenWanted, VolumeContext } from "#agent/volumes/volume-plugin.ts";

const tokensMax = 10_000;

/** Asks for tokens bound to pods, and gives out one again while less than four fifths of its life are over. */
export function createPodTokens(client: Client, clock: Clock): VolumeContext["requestToken"] {
  const known = new Map<string, IssuedToken & { readonly staleMs: number }>();
  return async (wanted) => {
    const key = `${uidOf(wanted.pod)}/${wanted.audience}/${wanted.expirationSeconds}`;
    const found = known.get(key);
    const nowMs = clock.now();
    if (found && found.staleMs > nowMs) return found;
    const issued = await request(client, wanted);
    if (known.size >= tokensMax) known.clear();
    known.set(key, { ...issued, staleMs: nowMs + 0.8 * (issued.expiresMs - nowMs) - 1000 });
    return issued;
  };
}

async function request(client: Client, wanted: TokenWanted): Promise<IssuedToken> {
  const { pod, audience, expirationSeconds } = wanted;
  const name = pod.spec?.serviceAccountName ?? "default";
  const body: TokenRequest = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: {},
    spec: {
      audiences: audience === "" ? [] : [audience],
      expirationSeconds,
      boundObjectRef: { apiVersion: "v1", kind: "Pod", name: nameOf(pod), uid: uidOf(pod) },
    },
  };
  const at = { namespace: namespaceOf(pod), name, subresource: "token" };
  const { status } = await client.post<TokenRequest>(serviceAccounts, at, body);
  if (status === undefined) throw new Error(`no token was issued for service account "${name}"`);
  const { token = "", expirationTimestamp = "" } = status;
  return { token, expiresMs: Date.parse(expirationTimestamp) };
}
