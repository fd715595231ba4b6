import type { ValidatingAdmissionPolicy } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { typeWarnings } from "#apiserver/admission/policies/type-checking.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { cloneJson } from "#apiserver/objects/json.ts";
import { persist } from "#apiserver/objects/persist.ts";
import type { ServerState } from "#apiserver/server-state.ts";

const policies = {
  group: "admissionregistration.k8s.io",
  resource: "validatingadmissionpolicies",
};
const prefix = resourcePrefix(policies);

/** Checks the types of every policy that changes and notes what is wrong in its status, as upstream's controller. */
export function startPolicyStatus(state: ServerState): Disposable {
  const resource = state.cache.resource(prefix);
  const waiting = new Map<string, StoredObject>();
  let working = false;
  const work = async (): Promise<void> => {
    working = true;
    // After the write that brought us here is answered.
    await Promise.resolve();
    for (const [key, stored] of waiting) {
      waiting.delete(key);
      if (state.stopped.aborted) break;
      try {
        await noteTypes(state, stored);
      } catch (error) {
        state.log.error("types of an admission policy were not checked", { key, error });
      }
    }
    working = false;
  };
  const take = (stored: StoredObject): void => {
    waiting.set(stored.key, stored);
    if (!working) void work();
  };
  const watching = resource.watch({ prefix, onChange: ({ current }) => current && take(current) });
  for (const stored of resource.list(prefix)) take(stored);
  return watching;
}

/** When somebody else was faster, the event of that write brings us here again. */
async function noteTypes(state: ServerState, stored: StoredObject): Promise<void> {
  const policy = stored.object as unknown as ValidatingAdmissionPolicy;
  const { generation = 0, deletionTimestamp } = policy.metadata;
  if (deletionTimestamp !== undefined || generation <= (policy.status?.observedGeneration ?? 0))
    return;
  const kind = state.kinds.find(policies.group, "v1", policies.resource);
  if (kind === undefined) return;
  const warnings = typeWarnings(policy, state.kinds);
  const typeChecking = warnings.length === 0 ? {} : { expressionWarnings: warnings };
  const status = { ...policy.status, observedGeneration: generation, typeChecking };
  const object = cloneJson({ ...policy, status }) as unknown as JsonObject;
  await persist(state, { kind, key: stored.key, expected: stored.revision }, object);
}
