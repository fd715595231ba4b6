import process from "node:process";
import type { JsonObject } from "#api/kind.ts";
import type { Attributes } from "#apiserver/authorizer.ts";
import { createStoreCache } from "#apiserver/cache/store-cache.ts";
import { encodeStored } from "#apiserver/cache/stored-object.ts";
import { createAccessControl } from "#apiserver/rbac/access-control.ts";
import { defaultAccess } from "#apiserver/rbac/defaults/default-objects.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

// `node bench/authorization.ts`: what one decision costs beside upstream's default roles and so many more bindings,
// in CPU time, and how much dearer it is than with the fewest.

const counts = [10, 1_000, 10_000];
const decisions = 300_000;
const root = "/registry/rbac.authorization.k8s.io";
const apiVersion = "rbac.authorization.k8s.io/v1";

const attributes: Omit<Attributes, "user" | "resource"> = {
  verb: "create",
  isResource: true,
  group: "apps",
  version: "v1",
  subresource: "",
  namespace: "default",
  name: "",
  path: "",
};

let fewest: { readonly allowedUs: number; readonly refusedUs: number } | undefined;
process.stdout.write("bindings  allowed µs  refused µs  ratios    index ms\n");
for (const count of counts) {
  const { authorizer, loadMs } = await openAccess(count);
  const user = { name: `user-${count - 1}`, groups: ["dev", "system:authenticated"] };
  const measure = (resource: string): number => {
    const asked = { ...attributes, user, resource };
    for (let at = 0; at < decisions / 10; at += 1) void authorizer.authorize(asked);
    const before = cpuMs();
    for (let at = 0; at < decisions; at += 1) void authorizer.authorize(asked);
    return ((cpuMs() - before) * 1_000) / decisions;
  };
  const [allowedUs, refusedUs] = [measure("deployments"), measure("controllerrevisions")];
  fewest ??= { allowedUs, refusedUs };
  const ratios = [allowedUs / fewest.allowedUs, refusedUs / fewest.refusedUs];
  const cells = [
    String(count).padEnd(8),
    allowedUs.toFixed(2).padStart(10),
    refusedUs.toFixed(2).padStart(10),
    ratios.map((ratio) => ratio.toFixed(2)).join(" "),
    loadMs.toFixed(0).padStart(8),
  ];
  process.stdout.write(`${cells.join("  ")}\n`);
}

/** Half of the bindings are for the cluster, half in a hundred namespaces; each is for another user. */
async function openAccess(count: number) {
  const store = createMemoryStore();
  for (const { resource, object } of defaultAccess()) {
    const { namespace, name = "" } = object.metadata as Readonly<Record<string, string>>;
    await put(
      namespace === undefined ? `${resource}/${name}` : `${resource}/${namespace}/${name}`,
      object,
    );
  }
  for (let at = 0; at < count; at += 1) {
    const cluster = at % 2 === 1;
    const namespace = `namespace-${at % 100}`;
    const metadata = { name: `binding-${at}`, ...(!cluster && { namespace }) };
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" };
    const subjects = [{ apiGroup: roleRef.apiGroup, kind: "User", name: `user-${at}` }];
    const kind = cluster ? "ClusterRoleBinding" : "RoleBinding";
    const place = cluster ? "clusterrolebindings" : `rolebindings/${namespace}`;
    await put(`${place}/binding-${at}`, { kind, apiVersion, metadata, roleRef, subjects });
  }
  const cache = await createStoreCache({ store, log: silentLog, clock: systemClock });
  const before = cpuMs();
  const { authorizer } = createAccessControl(cache, systemClock);
  return { authorizer, loadMs: cpuMs() - before };

  async function put(key: string, object: JsonObject): Promise<void> {
    await store.put(`${root}/${key}`, encodeStored(object), 0);
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
