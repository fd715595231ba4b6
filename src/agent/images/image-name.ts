/**
 * An image reference in full, as containerd names images and as docker's reference grammar completes them:
 * `nginx` is `docker.io/library/nginx:latest`, `localhost/web` is `localhost/web:latest`. An id or a name that
 * breaks the grammar is returned as it is.
 */
export function normaliseImage(image: string): string {
  if (isImageId(image)) return image;
  const { domain, path } = split(image);
  const full = domain === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  return `${domain}/${withTag(full)}`;
}

/** The name that a runtime keeps a pulled image by: with a digest, the tag is left out. */
export function storedName(image: string): string {
  const full = normaliseImage(image);
  const [name = "", digest] = full.split("@");
  return digest === undefined ? full : `${withoutTag(name)}@${digest}`;
}

/** An image's name without tag and digest; what is no name has none. */
export function repositoryOf(image: string): string {
  return isImageId(image) ? "" : withoutTag(normaliseImage(image).split("@")[0] ?? "");
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}

/** Whether the grammar of references takes it; upstream's reason for one it refuses is `InvalidImageName`. */
export function imageNameProblem(image: string): string | undefined {
  if (isImageId(image)) return undefined;
  const { path } = split(image);
  const [name = "", digest] = path.split("@");
  const colon = name.lastIndexOf(":");
  const repository = colon < 0 ? name : name.slice(0, colon);
  const tag = colon < 0 ? "latest" : name.slice(colon + 1);
  if (/[A-Z]/.test(repository)) return "repository name must be lowercase";
  const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
  if (!repository.split("/").every((part) => component.test(part)))
    return "invalid reference format";
  if (!/^\w[\w.-]{0,127}$/.test(tag)) return "invalid reference format";
  if (digest !== undefined && !/^[a-z0-9]+:[0-9a-f]{32,}$/.test(digest))
    return "invalid reference format";
  return undefined;
}

function isImageId(image: string): boolean {
  return /^(sha256:)?[0-9a-f]{64}$/.test(image);
}

function split(image: string): { readonly domain: string; readonly path: string } {
  const slash = image.indexOf("/");
  const first = image.slice(0, Math.max(slash, 0));
  const isDomain = /[.:]/.test(first) || first === "localhost" || /[A-Z]/.test(first);
  if (slash < 0 || !isDomain) return { domain: "docker.io", path: image };
  const domain = first === "index.docker.io" ? "docker.io" : first;
  return { domain, path: image.slice(slash + 1) };
}

function withTag(path: string): string {
  const last = path.slice(path.lastIndexOf("/") + 1);
  return last.includes(":") || last.includes("@") ? path : `${path}:latest`;
}

/** Upstream's default: an image without a tag or with `latest` is always pulled. */
export function hasLatestTag(image: string): boolean {
  return !image.includes("@") && normaliseImage(image).endsWith(":latest");
}
