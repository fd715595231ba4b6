import type { LabelSelector } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { ifFound } from "#api/status.ts";
import { internalCall } from "#apiserver/bootstrap/internal-call.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import {
  cloneJson,
  listAt,
  objectAt,
  objectsAt,
  sameJson,
  stringAt,
} from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { rbacGroup } from "#apiserver/rbac/rbac-index.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** The rules of an aggregated role: those of all roles that its selectors match, by name, each rule once. */
export function aggregatedRules(role: JsonObject, all: readonly JsonObject[]): readonly Json[] {
  const name = stringAt(objectAt(role, "metadata"), "name");
  const rules: Json[] = [];
  for (const selector of objectsAt(objectAt(role, "aggregationRule"), "clusterRoleSelectors")) {
    const matcher = labelSelectorMatcher(selector as unknown as LabelSelector);
    for (const other of all) {
      const metadata = objectAt(other, "metadata");
      const labels = objectAt(metadata, "labels") as Readonly<Record<string, string>>;
      if (stringAt(metadata, "name") === name || !matcher.matches(labels)) continue;
      const added = listAt(other, "rules").filter(
        (rule) => !rules.some((known) => sameJson(known, rule)),
      );
      rules.push(...added.map(cloneJson));
    }
  }
  return rules;
}

/** Keeps the rules of aggregated ClusterRoles up to date, once now and then whenever a role changes that may count. */
export function startAggregation(state: ServerState): Disposable {
  const prefix = resourcePrefix(clusterRoles);
  const resource = state.cache.resource(prefix);
  let wanted = false;
  let running = false;
  const run = async (): Promise<void> => {
    wanted = true;
    if (running) return;
    running = true;
    while (wanted && !state.stopped.aborted) {
      wanted = false;
      await aggregateAll(
        state,
        resource.list(prefix).map(({ object }) => object),
      );
    }
    running = false;
  };
  const begin = (): void => {
    run().catch((error: unknown) => {
      running = false;
      if (!state.stopped.aborted) state.log.error("cluster roles were not aggregated", { error });
    });
  };
  begin();
  return resource.watch({
    prefix,
    onChange: ({ current, previous }) => {
      if (counts(current?.object) || counts(previous?.object)) queueMicrotask(begin);
    },
  });
}

const clusterRoles = { group: rbacGroup, version: "v1", resource: "clusterroles" };

/** Without labels a role cannot be selected. */
function counts(role: JsonObject | undefined): boolean {
  return (
    role !== undefined &&
    (role.aggregationRule !== undefined || objectAt(role, "metadata").labels !== undefined)
  );
}

/** A role that has taken in others may itself be taken in: changes run on through the watch. */
async function aggregateAll(state: ServerState, all: readonly JsonObject[]): Promise<void> {
  for (const role of all) {
    if (role.aggregationRule === undefined || role.aggregationRule === null) continue;
    const rules = aggregatedRules(role, all);
    if (!sameJson(rules, listAt(role, "rules"))) await setRules(state, role, [...rules]);
  }
}

async function setRules(state: ServerState, role: JsonObject, rules: Json[]): Promise<void> {
  const call = internalCall(state, { ...clusterRoles, object: role }, "PUT");
  await ifFound(
    updateObject(call, {
      change: ({ object }) => ({ ...cloneJson(object), rules: cloneJson(rules) }),
    }),
  );
}
