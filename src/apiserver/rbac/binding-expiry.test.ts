import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { createTestServer, TestClock } from "#test/api-server.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";
const user = { name: "jane", groups: ["system:authenticated"] };
const binding = (expires: string) => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name: "b", annotations: { "access.kogge.dev/expires-at": expires } },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "jane" }],
});

test("a binding grants its role until it expires, and may be prolonged", async () => {
  const clock = new TestClock();
  await using api = await createTestServer({ clock });
  const bindings = `${rbac}/namespaces/default/rolebindings`;
  const may = async (): Promise<number> =>
    (await api.send("GET", "/api/v1/namespaces/default/pods", { user })).status;
  const at = (minutes: number): string => new Date(clock.now() + minutes * 60_000).toISOString();
  equal((await api.send("POST", bindings, { body: binding(at(10)) })).status, 201);
  const seen = [await may()];
  clock.advance(9 * 60_000);
  seen.push(await may());
  clock.advance(60_000);
  seen.push(await may());
  await api.send("PUT", `${bindings}/b`, { body: binding(at(1)) });
  seen.push(await may());
  clock.advance(60_000);
  seen.push(await may());
  deepEqual(seen, [200, 200, 403, 200, 403]);
});

test("an end that is no time is refused", async () => {
  await using api = await createTestServer();
  for (const text of ["tomorrow", "2030-01-01", "2030-01-01T00:00:00", "1893456000", ""]) {
    const { status, body } = await api.send("POST", `${rbac}/namespaces/default/rolebindings`, {
      body: binding(text),
    });
    deepEqual(
      [status, body.message],
      [
        422,
        `RoleBinding.rbac.authorization.k8s.io "b" is invalid: metadata.annotations[access.kogge.dev/expires-at]: Invalid value: ${JSON.stringify(text)}: must be a time such as 2030-01-31T18:00:00Z`,
      ],
    );
  }
});

test("a user sees the namespaces that have a role for them, or that they may read", async () => {
  await using api = await createTestServer();
  for (const name of ["dev", "prod"]) {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { name } } };
    await api.send("POST", "/api/v1/namespaces", { body: namespace });
  }
  await api.send("POST", `${rbac}/namespaces/dev/rolebindings`, {
    body: binding("2100-01-01T00:00:00Z"),
  });
  const path = "/apis/access.kogge.dev/v1/visiblenamespaces";
  const names = async (who: { name: string; groups: string[] }, query = "") => {
    const { body } = await api.send("GET", `${path}${query}`, { user: who });
    const items = (body.items ?? []) as { metadata: { name: string }; roles: string[] }[];
    return items.map(({ metadata, roles }) => [metadata.name, ...roles].join(" "));
  };
  deepEqual(await names(user), ["dev view"]);
  deepEqual(await names(user, "?labelSelector=name%3Dprod"), []);
  deepEqual(await names({ name: "joe", groups: ["system:authenticated"] }), []);
  const all = await names({ name: "root", groups: ["system:masters", "system:authenticated"] });
  deepEqual(all, ["default", "dev", "kube-node-lease", "kube-public", "kube-system", "prod"]);
  equal((await api.send("GET", `${path}/prod`, { user })).status, 404);
  equal((await api.send("GET", `${path}/dev`, { user })).status, 200);
});
