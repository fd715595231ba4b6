import type { APIGroup, APIResourceList, Scale } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { pathOf, rootPath, type Resource } from "#api/resource.ts";
import { ifFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import type { TargetScale } from "#controllers/horizontal-pod-autoscaler/plan-autoscaler.ts";

export interface TargetReference {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
}

/** A target's scale as it was read; writing it back fails when somebody else was faster. */
export interface ReadScale extends TargetScale {
  write(replicas: number, signal: AbortSignal): Promise<void>;
}

/** Reads the `scale` of an object of any kind that has one, custom ones too. Throws what stands against it. */
export async function readScale(
  client: Client,
  target: TargetReference & { readonly namespace: string },
  signal: AbortSignal,
): Promise<ReadScale> {
  const resource = await resourceOfKind(client, target, signal);
  const { name, namespace } = target;
  const path = pathOf(resource, { name, namespace, subresource: "scale" });
  const scale = (await client.read(path, { signal })) as Scale;
  return {
    replicas: scale.spec?.replicas ?? 0,
    statusReplicas: scale.status?.replicas ?? 0,
    selector: scale.status?.selector ?? "",
    async write(replicas, writeSignal) {
      const body = { ...scale, spec: { ...scale.spec, replicas } };
      const options = { subresource: "scale", signal: writeSignal };
      await client.update(resource, body as KubeObject, options);
    },
  };
}

/** The resource of a kind, in the version that is named or another of the group. */
export async function resourceOfKind(
  client: Client,
  { apiVersion = "", kind }: TargetReference,
  signal: AbortSignal,
): Promise<Resource> {
  const parts = apiVersion.split("/");
  if (parts.length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
  const [group, version] = parts.length === 2 ? parts : ["", parts[0] || "v1"];
  const at = { group: group ?? "", version: version ?? "" };
  const found =
    (await lookUp(client, { ...at, kind }, signal)) ??
    (await lookUpElsewhere(client, { ...at, kind }, signal));
  if (found !== undefined) return found;
  const named = at.group === "" ? kind : `${kind}.${at.group}`;
  throw new Error(`no matches for kind "${named}" in group "${at.group}"`);
}

interface KindAt {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

async function lookUpElsewhere(
  client: Client,
  at: KindAt,
  signal: AbortSignal,
): Promise<Resource | undefined> {
  if (at.group === "") return undefined;
  const group = (await ifFound(client.read(`/apis/${at.group}`, { signal }))) as
    | APIGroup
    | undefined;
  for (const { version } of group?.versions ?? []) {
    const found = await lookUp(client, { ...at, version }, signal);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function lookUp(
  client: Client,
  { group, version, kind }: KindAt,
  signal: AbortSignal,
): Promise<Resource | undefined> {
  const list = (await ifFound(client.read(rootPath({ group, version }), { signal }))) as
    | APIResourceList
    | undefined;
  const found = list?.resources.find((one) => one.kind === kind && !one.name.includes("/"));
  if (found === undefined) return undefined;
  return { group, version, resource: found.name, kind, namespaced: found.namespaced };
}
