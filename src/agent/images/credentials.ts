import { createHash } from "node:crypto";
import type { Secret } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { normaliseImage } from "#agent/images/image-name.ts";
import type { PullSecret } from "#agent/images/pull-records.ts";
import type { RegistryCredentials } from "#agent/runtime/container-runtime.ts";

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  /** `username:password` in base64. */
  readonly auth?: string;
}

/** Credentials, and the secret of the pod's that they are from. */
export interface PodCredentials {
  readonly credentials: RegistryCredentials;
  readonly secret: PullSecret;
}

/** What the pull secrets hold for the registry of an image, the most specific entry first. */
export function credentialsFor(
  image: string,
  secrets: readonly Secret[],
): readonly PodCredentials[] {
  const full = normaliseImage(image);
  return secrets
    .flatMap((secret) =>
      Object.entries(authsOf(secret)).map(([server, auth]) => ({
        path: withoutScheme(server),
        found: podCredentials(secret, auth),
      })),
    )
    .filter(({ path }) => full === path || full.startsWith(`${path}/`))
    .toSorted((left, right) => right.path.length - left.path.length)
    .map(({ found }) => found);
}

function podCredentials(secret: Secret, auth: DockerAuth): PodCredentials {
  const decoded = Buffer.from(auth.auth ?? "", "base64").toString();
  const colon = decoded.indexOf(":");
  const username = auth.username ?? decoded.slice(0, Math.max(colon, 0));
  const password = auth.password ?? decoded.slice(colon + 1);
  const { namespace = "", name = "" } = secret.metadata;
  const hash = createHash("sha256").update(JSON.stringify({ username, password }));
  return {
    credentials: { username, password },
    secret: { uid: uidOf(secret), namespace, name, credentialHash: hash.digest("hex") },
  };
}

/** `https://index.docker.io/v1/` stands for `docker.io`. */
function withoutScheme(server: string): string {
  const bare = server.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  return bare.replace(/^(?:index|registry-1)\.docker\.io(?:\/v[12])?$/, "docker.io");
}

function authsOf({ type, data = {} }: Secret): Readonly<Record<string, DockerAuth>> {
  const key = type === "kubernetes.io/dockercfg" ? ".dockercfg" : ".dockerconfigjson";
  const text = data[key];
  if (text === undefined) return {};
  try {
    const parsed = JSON.parse(Buffer.from(text, "base64").toString()) as {
      auths?: Record<string, DockerAuth>;
    };
    return key === ".dockercfg" ? (parsed as Record<string, DockerAuth>) : (parsed.auths ?? {});
  } catch (error) {
    // A secret that is no JSON holds no credentials; upstream goes on without it too.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
