import { deepEqual, equal, match } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, run } from "#test/clients.ts";
import { koggeBinary } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

test("questions about access are answered", { skip: missing("clients") }, async (context) => {
  using folder = temporaryFolder("access");
  await using cluster = await createCluster({ nodes: 0 });
  const kubeconfig = join(folder.path, "kubeconfig");
  cluster.writeKubeconfig(kubeconfig);
  const kubectl = kubectlFor(kubeconfig, "36");
  const ask = (...words: readonly string[]) =>
    run(koggeBinary, [...words, "--kubeconfig", kubeconfig]);
  for (const namespace of ["dev", "prod"]) await kubectl(`create namespace ${namespace}`);
  await kubectl("create rolebinding infra --clusterrole=edit --group=infra --namespace=dev");
  await kubectl("create rolebinding gone --role=absent --user=jane --namespace=dev");

  await context.test("who-can names subject, binding, role and rule", async () => {
    const { stdout } = await ask("who-can", "delete", "deploy", "-n", "dev");
    match(stdout, /^Who can delete deployments\.apps in "dev"$/m);
    match(
      stdout,
      /^Group infra +RoleBinding dev\/infra → ClusterRole edit +create, delete, .*deployments\.apps/m,
    );
    const elsewhere = await ask("who-can", "delete", "deploy", "-n", "prod");
    equal(elsewhere.stdout.includes("infra"), false);
    const unknown = await ask("who-can", "get", "podz");
    deepEqual(
      [unknown.code, unknown.stderr.trim()],
      [
        1,
        'kogge: Cannot ask about "podz": the server has no such resource; there are pods, podtemplates, poddisruptionbudgets',
      ],
    );
  });

  await context.test(
    "can lists what a member of a group has, and bindings without a role",
    async () => {
      const { stdout } = await ask("can", "jane", "--group", "infra", "-n", "dev", "--json");
      const { allowed, missingRoles } = JSON.parse(stdout) as {
        allowed: { namespace: string; binding: { name: string } }[];
        missingRoles: { binding: { name: string } }[];
      };
      deepEqual(
        [...new Set(allowed.map(({ namespace, binding }) => `${namespace}/${binding.name}`))],
        [
          "/kogge:visible-namespaces",
          "/system:basic-user",
          "/system:discovery",
          "/system:public-info-viewer",
          "dev/infra",
        ],
      );
      deepEqual(
        missingRoles.map(({ binding }) => binding.name),
        ["gone"],
      );
    },
  );

  await context.test(
    "explain-access takes a question or the refusal that somebody got",
    async () => {
      const dave = ["--as=dave", "--as-group=infra"];
      const allowed = await ask("explain-access", "list", "deploy", "-n", "dev", ...dave);
      equal(allowed.code, 0);
      match(
        allowed.stdout,
        /^Allowed: dave may list deployments\.apps in "dev"\nThe server says: RBAC: allowed by RoleBinding "infra\/dev"/,
      );
      match(allowed.stdout, /RoleBinding dev\/infra → ClusterRole edit, for Group infra/);

      const refused = await kubectl.try(["get", "deployments", "-n", "prod", ...dave]);
      const denied = await ask("explain-access", "--error", refused.stderr, "--as-group=infra");
      equal(denied.code, 1);
      match(denied.stdout, /^Denied: dave may not list deployments\.apps in "prod"$/m);
      match(
        denied.stdout,
        /RoleBinding dev\/infra → ClusterRole edit allows .*; not in this namespace$/m,
      );
      const command = /^ {2}kubectl (create rolebinding dave-view .*)$/m.exec(denied.stdout)?.[1];
      await kubectl(command ?? "none");
      equal((await kubectl(["get", "deployments", "-n", "prod", ...dave])).trim(), "");
    },
  );

  await context.test("grant gives a role that ends, and the binding goes", async () => {
    const granted = await ask("grant", "edit", "--user", "ann", "--for", "2s", "-n", "dev");
    match(
      granted.stdout,
      /^User ann has edit in "dev" until \d{4}-.*Z \(RoleBinding ann-edit-\w{5}\)\n$/,
    );
    const name = /RoleBinding (ann-edit-\w{5})/.exec(granted.stdout)?.[1] ?? "";
    match(
      (await ask("can", "ann", "-n", "dev")).stdout,
      /ann-edit-\w{5} → ClusterRole edit until \d/,
    );
    equal(
      (await kubectl("get myns --as=ann")).replaceAll(/ +/g, " "),
      "NAME STATUS ROLES\ndev Active edit\n",
    );
    await kubectl(`wait --for=delete rolebinding/${name} -n dev --timeout=30s`);
    equal((await kubectl.try("get pods -n dev --as=ann".split(" "))).code, 1);
    const nothing = await ask("grant", "edit", "--for", "2h", "-n", "dev");
    match(nothing.stderr, /^kogge: Cannot tell whom to grant the role: give one of --user/);
    const unknown = await ask("grant", "editor", "--for", "2h", "--user", "ann");
    match(unknown.stderr, /^kogge: Cannot grant "editor": there is no such role/);
  });

  await context.test("rbac from-audit makes a role that suffices", async () => {
    const event = (verb: string, resource: string, name?: string): string =>
      JSON.stringify({
        kind: "Event",
        stage: "ResponseComplete",
        verb,
        requestURI: "/",
        user: { username: "robot" },
        objectRef: { resource, apiVersion: "v1", namespace: "dev", name },
      });
    const log = join(folder.path, "audit.log");
    writeFileSync(log, `${event("list", "pods")}\n${event("get", "configmaps", "web")}\n`);
    const made = await ask("rbac", "from-audit", "--user", "robot", "--file", log, "--with-names");
    const role = join(folder.path, "role.yaml");
    writeFileSync(role, made.stdout);
    await kubectl(["apply", "-f", role]);
    const may = async (words: string): Promise<string> =>
      (await kubectl.try(`auth can-i ${words} -n dev --as=robot`.split(" "))).stdout.trim();
    deepEqual(
      [
        await may("list pods"),
        await may("get configmaps/web"),
        await may("get configmaps/api"),
        await may("delete pods"),
      ],
      ["yes", "yes", "no", "no"],
    );
    const nobody = await ask("rbac", "from-audit", "--user", "nobody", "--file", log);
    match(
      nobody.stderr,
      /^kogge: Cannot make a role: .* tells of nothing that "nobody" was allowed$/m,
    );
  });
});
