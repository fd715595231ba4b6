import type { Pod, ResourceV1ResourceClaim as ResourceClaim } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { pods, resourceClaims, resourceClaimTemplates } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import {
  claimFrom,
  claimNameOf,
  planClaim,
  planPodClaims,
  unprotected,
} from "#controllers/resource-claim/plan-claim.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";
import { claimIndexes, controllerRefOf } from "#reconcile/owners.ts";

const podPrefix = "pod ";
const claimPrefix = "claim ";

/** Makes the claims that pods want from templates, and gives back what nobody uses any more. */
export function createResourceClaimController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const podInformer = informers.of(pods, podUserIndex);
  const claimInformer = informers.of(resourceClaims, claimIndexes);
  const templateInformer = informers.of(resourceClaimTemplates);
  const recorder = kit.recorder("resource_claim");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    if (key.startsWith(podPrefix)) {
      const pod = podInformer.get(parseKey(key.slice(podPrefix.length)));
      if (pod) await servePod(pod, run.signal);
      return;
    }
    const claim = claimInformer.get(parseKey(key.slice(claimPrefix.length)));
    if (claim) await tidy(claim, run.signal);
  };

  const servePod = async (pod: Pod, signal: AbortSignal): Promise<void> => {
    const owned = [...claimInformer.byIndex("controllerUid", pod.metadata.uid ?? "")];
    const entries = [...(pod.status?.resourceClaimStatuses ?? [])];
    const before = entries.length;
    for (const action of planPodClaims(pod, owned)) {
      if (action.kind === "use") entries.push(action.entry);
      else {
        const claim = await create(pod, action, signal);
        entries.push({ name: action.name, resourceClaimName: nameOf(claim) });
      }
    }
    if (entries.length === before) return;
    const value = {
      metadata: { uid: pod.metadata.uid },
      status: { resourceClaimStatuses: entries },
    };
    const at = { name: nameOf(pod), namespace: namespaceOf(pod) };
    const options = { subresource: "status", signal };
    await client.patch(pods, at, { kind: "strategic", value }, options);
  };

  const create = async (
    pod: Pod,
    { name, template: templateName }: { readonly name: string; readonly template: string },
    signal: AbortSignal,
  ): Promise<ResourceClaim> => {
    try {
      const namespace = namespaceOf(pod);
      const template = templateInformer.get({ name: templateName, namespace });
      if (template === undefined) {
        throw new Error(`resourceclaimtemplate.resource.k8s.io "${templateName}" not found`);
      }
      return await client.create(resourceClaims, claimFrom(pod, name, template), { signal });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const message = `PodResourceClaim ${name}: ${problem}`;
      recorder.record(pod, { type: "Warning", reason: "FailedResourceClaimCreation", message });
      throw error;
    }
  };

  const tidy = async (claim: ResourceClaim, signal: AbortSignal): Promise<void> => {
    const namespace = namespaceOf(claim);
    const reference = controllerRefOf(claim);
    const owner =
      reference?.kind === "Pod" ? podInformer.get({ name: reference.name, namespace }) : undefined;
    const plan = planClaim(claim, {
      podOf: (name) => podInformer.get({ name, namespace }),
      owner,
    });
    if (plan.status) {
      const options = { subresource: "status", signal };
      const updated = await client.update(resourceClaims, plan.status, options);
      if (claim.status?.allocation === undefined || updated.status?.allocation) return;
      await client.update(resourceClaims, unprotected(updated), { signal });
    } else if (plan.unprotect) await client.update(resourceClaims, plan.unprotect, { signal });
    else if (plan.remove)
      await deleteThis(client, { resource: resourceClaims, object: claim }, { signal });
  };

  const claimKeysOf = (pod: Pod): readonly string[] =>
    (pod.spec?.resourceClaims ?? []).flatMap((entry) => {
      const name = claimNameOf(pod, entry);
      return name === undefined ? [] : [`${claimPrefix}${namespaceOf(pod)}/${name}`];
    });

  return createController({
    name: "resourceclaim",
    reads: ["pods", "resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"],
    writes: [
      { resource: "resourceclaims.resource.k8s.io", fields: "*", of: "new, of Pods" },
      { resource: "resourceclaims.resource.k8s.io", fields: "status", of: "used by nobody" },
      { resource: "resourceclaims.resource.k8s.io", fields: "deletion", of: "of ended Pods" },
      { resource: "pods", fields: "status.resourceClaimStatuses" },
    ],
    sources: [
      keysFrom(podInformer, ({ kind, object }) => {
        if (!object.spec?.resourceClaims?.length) return [];
        const own = kind === "deleted" ? [] : [podPrefix + keyOf(object)];
        return [...own, ...claimKeysOf(object)];
      }),
      keysFrom(claimInformer, ({ kind, object }) => {
        if (kind !== "deleted") return [claimPrefix + keyOf(object)];
        const owner = controllerRefOf(object);
        return owner?.kind === "Pod" ? [`${podPrefix}${namespaceOf(object)}/${owner.name}`] : [];
      }),
      keysFrom(templateInformer, ({ kind, object }) =>
        kind === "deleted"
          ? []
          : Array.from(
              podInformer.byIndex("claimTemplate", keyOf(object)),
              (pod) => podPrefix + keyOf(pod),
            ),
      ),
    ],
    reconcile,
    clock,
    log,
  });
}

/** Pods by the templates that their claims are made from. */
const podUserIndex = {
  claimTemplate: (pod: Pod): readonly string[] =>
    (pod.spec?.resourceClaims ?? []).flatMap(({ resourceClaimTemplateName: name }) =>
      name === undefined ? [] : [`${namespaceOf(pod)}/${name}`],
    ),
};
