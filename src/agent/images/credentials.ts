import type { Secret } from "#api/generated/types.ts";
import { normaliseImage } from "#agent/images/image-name.ts";
import type { RegistryCredentials } from "#agent/runtime/container-runtime.ts";

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  /** `username:password` in base64. */
  readonly auth?: string;
}

/** What the pull secrets hold for the registry of an image. The most specific entry wins. */
export function credentialsFor(
  image: string,
  secrets: readonly Secret[],
): RegistryCredentials | undefined {
  const full = normaliseImage(image);
  const entries = secrets.flatMap((secret) => Object.entries(authsOf(secret)));
  const found = entries
    .map(([server, auth]) => ({ server, path: withoutScheme(server), auth }))
    .filter(({ path }) => full === path || full.startsWith(`${path}/`))
    .toSorted((left, right) => right.path.length - left.path.length)[0];
  if (found === undefined) return undefined;
  const decoded = Buffer.from(found.auth.auth ?? "", "base64").toString();
  const colon = decoded.indexOf(":");
  return {
    username: found.auth.username ?? decoded.slice(0, Math.max(colon, 0)),
    password: found.auth.password ?? decoded.slice(colon + 1),
    serverAddress: found.server,
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
