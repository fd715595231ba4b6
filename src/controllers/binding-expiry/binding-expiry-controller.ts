import type { ClusterRoleBinding, RoleBinding } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { expiresAtMs } from "#api/rbac/binding-expiry.ts";
import { clusterRoleBindings, roleBindings } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

/**
 * Removes bindings whose time has come. Nobody waits for that: an ended binding grants nothing from that moment
 * on, here its traces go.
 */
export function createBindingExpiryController(kit: ControllerKit): Controller {
  const { client, clock, informers, log } = kit;
  const narrow = informers.of(roleBindings);
  const wide = informers.of(clusterRoleBindings);
  const bindingAt = (key: string): RoleBinding | ClusterRoleBinding | undefined => {
    const [namespace = "", name = ""] = key.split("/");
    return namespace === "" ? wide.get({ name }) : narrow.get({ namespace, name });
  };
  return createController({
    name: "bindingexpiry",
    reads: ["rolebindings", "clusterrolebindings"],
    writes: [
      { resource: "rolebindings", fields: "deletion", of: "expired bindings" },
      { resource: "clusterrolebindings", fields: "deletion", of: "expired bindings" },
    ],
    sources: [
      keysFrom(narrow, ({ kind, object }) => (kind === "deleted" ? [] : keysOf(object))),
      keysFrom(wide, ({ kind, object }) => (kind === "deleted" ? [] : keysOf(object))),
    ],
    async reconcile(key, run) {
      const binding = bindingAt(key);
      if (binding === undefined) return;
      const leftMs = expiresAtMs(binding) - clock.now();
      if (leftMs > 0) return run.requeue(leftMs);
      const resource = namespaceOf(binding) === "" ? clusterRoleBindings : roleBindings;
      const { signal } = run;
      if (await deleteThis(client, { resource, object: binding }, { signal }))
        log.info("expired binding removed", { binding: key });
    },
    clock,
    log,
  });
}

/** Only those that end. */
function keysOf(binding: RoleBinding | ClusterRoleBinding): readonly string[] {
  return expiresAtMs(binding) === Infinity ? [] : [`${namespaceOf(binding)}/${nameOf(binding)}`];
}
