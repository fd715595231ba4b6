import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  VolumeProjection,
} from "#api/generated/types.ts";
import { fieldValue, resourceValue } from "#agent/pods/downward-values.ts";
import { unlessOptional } from "#agent/pods/environment.ts";
import { findContainer } from "#agent/pods/pod-containers.ts";
import type { VolumeFile } from "#agent/volumes/atomic-files.ts";
import type { VolumeRequest } from "#agent/volumes/volume-plugin.ts";

/** Which keys of an object become which files. */
export interface Selection {
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
  readonly defaultMode: number;
}

type Data = ReadonlyMap<string, Uint8Array>;

export async function configMapFiles(
  request: VolumeRequest,
  name: string,
  selection: Selection,
): Promise<readonly VolumeFile[]> {
  const namespace = request.pod.metadata.namespace ?? "";
  const object = request.context.objects.configMap(namespace, name);
  const configMap = await unlessOptional(object, selection);
  return select(configMapData(configMap), selection, "config");
}

export async function secretFiles(
  request: VolumeRequest,
  name: string,
  selection: Selection,
): Promise<readonly VolumeFile[]> {
  const namespace = request.pod.metadata.namespace ?? "";
  const secret = await unlessOptional(request.context.objects.secret(namespace, name), selection);
  return select(secretData(secret), selection, "secret");
}

export function downwardFiles(
  request: VolumeRequest,
  items: readonly DownwardAPIVolumeFile[],
  defaultMode: number,
): readonly VolumeFile[] {
  return items.map((item) => ({
    path: item.path,
    content: Buffer.from(downwardText(request, item)),
    mode: item.mode ?? defaultMode,
  }));
}

/** The files of one source of a projected volume, and when they get stale by time. */
export async function projectedFiles(
  request: VolumeRequest,
  source: VolumeProjection,
  defaultMode: number,
): Promise<{ readonly files: readonly VolumeFile[]; readonly refreshAtMs?: number }> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap) {
    const selection = { ...configMap, defaultMode };
    return { files: await configMapFiles(request, configMap.name ?? "", selection) };
  }
  if (secret) {
    const selection = { ...secret, defaultMode };
    return { files: await secretFiles(request, secret.name ?? "", selection) };
  }
  if (downwardAPI) return { files: downwardFiles(request, downwardAPI.items ?? [], defaultMode) };
  if (serviceAccountToken) return tokenFile(request, serviceAccountToken, defaultMode);
  throw new Error(`projected source "${Object.keys(source).join()}" is not supported`);
}

const hourSeconds = 3600;
const dayMs = 24 * hourSeconds * 1000;

async function tokenFile(
  { pod, context }: VolumeRequest,
  source: NonNullable<VolumeProjection["serviceAccountToken"]>,
  defaultMode: number,
): Promise<{ readonly files: readonly VolumeFile[]; readonly refreshAtMs: number }> {
  const { token, expiresMs } = await context.requestToken({
    pod,
    audience: source.audience ?? "",
    expirationSeconds: source.expirationSeconds ?? hourSeconds,
  });
  const nowMs = context.clock.now();
  const mode = pod.spec?.securityContext?.fsGroup === undefined ? defaultMode : 0o600;
  const uid = onlyUser(pod);
  const file = {
    path: source.path,
    content: Buffer.from(token),
    mode: uid === undefined ? mode : 0o600,
    ...(uid !== undefined && { uid }),
  };
  return { files: [file], refreshAtMs: nowMs + Math.min(0.8 * (expiresMs - nowMs), dayMs) };
}

/** The user that all containers run as: then a token is theirs alone. */
function onlyUser(pod: Pod): number | undefined {
  const { containers = [], initContainers = [], securityContext } = pod.spec ?? {};
  const users = new Set(
    [...containers, ...initContainers].map(
      (container) => container.securityContext?.runAsUser ?? securityContext?.runAsUser,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

function downwardText(request: VolumeRequest, item: DownwardAPIVolumeFile): string {
  const { pod, context, podIps } = request;
  if (item.fieldRef) return fieldValue(pod, item.fieldRef, { node: context.node, podIps });
  const selector = item.resourceFieldRef;
  const container = findContainer(pod, selector?.containerName ?? "")?.spec;
  if (selector === undefined || container === undefined) {
    throw new Error(`container ${selector?.containerName ?? ""} not found`);
  }
  return resourceValue(container, selector, { node: context.node, pod });
}

function configMapData(configMap: ConfigMap | undefined): Data {
  const data = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(configMap?.data ?? {})) {
    data.set(key, Buffer.from(value));
  }
  for (const [key, value] of Object.entries(configMap?.binaryData ?? {})) {
    data.set(key, Buffer.from(value, "base64"));
  }
  return data;
}

function secretData(secret: Secret | undefined): Data {
  const data = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(secret?.data ?? {})) {
    data.set(key, Buffer.from(value, "base64"));
  }
  return data;
}

function select(data: Data, selection: Selection, kind: string): readonly VolumeFile[] {
  const { items, optional, defaultMode } = selection;
  if (!items?.length) {
    return [...data].map(([path, content]) => ({ path, content, mode: defaultMode }));
  }
  return items.flatMap(({ key, path, mode }) => {
    const content = data.get(key);
    if (content !== undefined) return [{ path, content, mode: mode ?? defaultMode }];
    if (optional) return [];
    throw new Error(`references non-existent ${kind} key: ${key}`);
  });
}
