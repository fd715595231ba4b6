import type {
  ConfigMap,
  Container,
  EnvVar,
  FileKeySelector,
  Pod,
  Secret,
  Service,
} from "#api/generated/types.ts";
import { type DownwardNode, fieldValue, resourceValue } from "#agent/pods/downward-values.ts";
import { variableInFile } from "#agent/pods/environment-file.ts";
import { expand } from "#agent/pods/expansion.ts";
import { findContainer } from "#agent/pods/pod-containers.ts";
import { serviceEnvironment } from "#agent/pods/service-environment.ts";

/** Reads what pods refer to. A missing object is rejected with upstream's text: `configmap "a" not found`. */
export interface ReferencedObjects {
  configMap(namespace: string, name: string): Promise<ConfigMap>;
  secret(namespace: string, name: string): Promise<Secret>;
  /** The services that containers of the namespace are told of by variables. */
  services(namespace: string, all: boolean): Promise<readonly Service[]>;
}

export interface EnvironmentParts {
  readonly pod: Pod;
  readonly container: Container;
  readonly objects: ReferencedObjects;
  readonly node: DownwardNode;
  readonly podIps: readonly string[];
  /** The text of a file in a volume of the pod. */
  readonly readVolumeFile: (volume: string, path: string) => Promise<string>;
}

/** A container's variables in upstream's order: services, `envFrom`, `env`; later ones win. */
export async function buildEnvironment(parts: EnvironmentParts): Promise<Map<string, string>> {
  const namespace = parts.pod.metadata.namespace ?? "";
  const links = parts.pod.spec?.enableServiceLinks ?? true;
  const services = serviceEnvironment(await parts.objects.services(namespace, links));
  const result = new Map<string, string>();
  for (const [name, value] of await fromSources(parts)) result.set(name, value);
  const known = (name: string): string | undefined => result.get(name) ?? services.get(name);
  for (const variable of parts.container.env ?? []) {
    const value = await valueOf(parts, variable, known);
    if (value !== undefined) result.set(variable.name, value);
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return result;
}

async function fromSources({
  pod,
  container,
  objects,
}: EnvironmentParts): Promise<Map<string, string>> {
  const namespace = pod.metadata.namespace ?? "";
  const found = new Map<string, string>();
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const data = configMapRef
      ? (await unlessOptional(objects.configMap(namespace, configMapRef.name ?? ""), configMapRef))
          ?.data
      : secretRef
        ? decoded(
            (await unlessOptional(objects.secret(namespace, secretRef.name ?? ""), secretRef))
              ?.data,
          )
        : undefined;
    for (const [key, value] of Object.entries(data ?? {})) found.set(prefix + key, value);
  }
  return found;
}

async function valueOf(
  parts: EnvironmentParts,
  variable: EnvVar,
  known: (name: string) => string | undefined,
): Promise<string | undefined> {
  const source = variable.valueFrom;
  if (source === undefined) return expand(variable.value ?? "", known);
  const { pod, container, node, podIps } = parts;
  if (source.fieldRef) return fieldValue(pod, source.fieldRef, { node, podIps });
  if (source.resourceFieldRef) {
    const { containerName } = source.resourceFieldRef;
    const measured = containerName ? findContainer(pod, containerName)?.spec : container;
    return resourceValue(measured ?? container, source.resourceFieldRef, { node, pod });
  }
  if (source.configMapKeyRef) return configMapValue(parts, source.configMapKeyRef);
  if (source.secretKeyRef) return secretValue(parts, source.secretKeyRef);
  if (source.fileKeyRef) return fileValue(parts, source.fileKeyRef);
  return "";
}

interface KeyReference {
  readonly name?: string;
  readonly key: string;
  readonly optional?: boolean;
}

async function configMapValue(
  { pod, objects }: EnvironmentParts,
  reference: KeyReference,
): Promise<string | undefined> {
  const namespace = pod.metadata.namespace ?? "";
  const { name = "", key } = reference;
  const configMap = await unlessOptional(objects.configMap(namespace, name), reference);
  const value = configMap?.data?.[key];
  if (value !== undefined || reference.optional) return value;
  throw new Error(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
}

async function secretValue(
  { pod, objects }: EnvironmentParts,
  reference: KeyReference,
): Promise<string | undefined> {
  const namespace = pod.metadata.namespace ?? "";
  const { name = "", key } = reference;
  const secret = await unlessOptional(objects.secret(namespace, name), reference);
  const value = decoded(secret?.data)?.[key];
  if (value !== undefined || reference.optional) return value;
  throw new Error(`couldn't find key ${key} in Secret ${namespace}/${name}`);
}

/** Upstream counts a value that is empty as one that is not there. */
async function fileValue(
  { readVolumeFile }: EnvironmentParts,
  { volumeName, path, key, optional }: FileKeySelector,
): Promise<string | undefined> {
  let value: string;
  try {
    value = variableInFile(await readVolumeFile(volumeName, path), key);
  } catch (cause) {
    throw new Error("couldn't parse env file", { cause });
  }
  if (value !== "") return value;
  if (optional) return undefined;
  throw new Error(`environment variable key "${key}" not found in file "${path}"`);
}

/** An object that was not found; its message is upstream's. */
export class MissingObjectError extends Error {
  override readonly name = "MissingObjectError";
}

export async function unlessOptional<T>(
  object: Promise<T>,
  { optional }: { readonly optional?: boolean },
): Promise<T | undefined> {
  try {
    return await object;
  } catch (error) {
    if (optional && error instanceof MissingObjectError) return undefined;
    throw error;
  }
}

function decoded(
  data: Readonly<Record<string, string>> | undefined,
): Record<string, string> | undefined {
  if (data === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}
