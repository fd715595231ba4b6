import { deepEqual, equal, match } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { kubectlFor } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { prometheusAccount } from "#test/prometheus-account.ts";
import { temporaryFolder } from "#test/temporary.ts";

// The scenarios of the announcement of Kubernetes' role-based access control, with real kubectl.
const deployer = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: deployer }
rules:
  - { apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, delete, update, patch] }
  - { apiGroups: [""], resources: [configmaps, secrets], verbs: [get, list, watch, create, delete, update, patch] }
  - { apiGroups: [""], resources: [pods], verbs: [get, list, watch] }
`;

test("kubectl grants, asks and is refused", { skip: missing("clients") }, async (context) => {
  using folder = temporaryFolder("rbac");
  await using cluster = await createCluster({ nodes: 1 });
  const kubeconfig = join(folder.path, "kubeconfig");
  cluster.writeKubeconfig(kubeconfig);
  const kubectl = kubectlFor(kubeconfig, "36");
  /** What kubectl answers, with its warnings or refusal. */
  const ask = async (words: string): Promise<string> => {
    const { stdout, stderr } = await kubectl.try(words.split(" "));
    return `${stdout}${stderr}`.trim();
  };
  const apply = async (name: string, text: string): Promise<void> => {
    const file = join(folder.path, name);
    writeFileSync(file, text);
    await kubectl(["apply", "-f", file]);
  };
  for (const namespace of ["dev", "prod"]) await kubectl(`create namespace ${namespace}`);

  await context.test(
    "a fresh user has no rights, edit for the whole cluster gives them",
    async () => {
      const refused =
        'Error from server (Forbidden): namespaces is forbidden: User "jane" cannot list resource "namespaces" in API group "" at the cluster scope';
      equal(await ask("get namespaces --as=jane"), refused);
      equal(await ask("auth can-i create deployments --namespace=dev --as=jane"), "no");
      match(
        await ask("create clusterrolebinding jane --clusterrole=edit --user=jane"),
        /^clusterrolebinding.rbac.authorization.k8s.io\/jane created$/,
      );
      match(await ask("get namespaces --as=jane"), /default .*\n(?:.*\n)*prod /);
      equal(await ask("auth can-i create deployments --namespace=dev --as=jane"), "yes");
      equal(await ask("auth can-i create roles --namespace=dev --as=jane"), "no");
      equal(
        await ask("auth can-i get nodes --as=jane"),
        "no\nWarning: resource 'nodes' is not namespace scoped",
      );
    },
  );

  await context.test("a group edits one namespace", async () => {
    await kubectl("create rolebinding infra --clusterrole=edit --group=infra --namespace=dev");
    const dave = "--as=dave --as-group=infra";
    equal(
      await ask(`get deployments --namespace=dev ${dave}`),
      "No resources found in dev namespace.",
    );
    equal(
      await ask(`get deployments --namespace=prod ${dave}`),
      'Error from server (Forbidden): deployments.apps is forbidden: User "dave" cannot list resource "deployments" in API group "apps" in the namespace "prod"',
    );
  });

  await context.test("a role of one's own is enforced verb by verb", async () => {
    await apply("deployer.yaml", deployer);
    await kubectl("create rolebinding dan --clusterrole=deployer --user=dan --namespace=dev");
    const asked = async (resource: string): Promise<string> => {
      const answers = await Promise.all(
        ["get", "list", "watch", "create", "update", "patch", "delete"].map((verb) =>
          ask(`auth can-i ${verb} ${resource} --namespace=dev --as=dan`),
        ),
      );
      return answers.join(" ");
    };
    const [all, reads] = ["yes yes yes yes yes yes yes", "yes yes yes no no no no"];
    deepEqual(
      [
        await asked("deployments.apps"),
        await asked("secrets"),
        await asked("pods"),
        await asked("services"),
      ],
      [all, all, reads, "no no no no no no no"],
    );
    match(
      await ask("create deployment web --image=web:1 --namespace=dev --as=dan"),
      /deployment.apps\/web created/,
    );
    match(
      await ask("delete pod web --namespace=dev --as=dan"),
      /pods "web" is forbidden: User "dan" cannot delete resource "pods" in API group "" in the namespace "dev"/,
    );
  });

  await context.test("an ingress is allowed by its group, resource and verb", async () => {
    const create = "create ingress web --rule=a.b/=web:80 --namespace=dev --as=ina";
    match(
      await ask(create),
      /ingresses.networking.k8s.io is forbidden: User "ina" cannot create resource "ingresses" in API group "networking.k8s.io"/,
    );
    await kubectl(
      "create role ingresses --verb=create --resource=ingresses.networking.k8s.io --namespace=dev",
    );
    await kubectl("create rolebinding ina --role=ingresses --user=ina --namespace=dev");
    match(await ask(create), /ingress.networking.k8s.io\/web created/);
  });

  await context.test("a service account may do what its role says and nothing else", async () => {
    await apply("prometheus.yaml", prometheusAccount);
    const token = await ask("create token prometheus --namespace=dev");
    const own = (words: string): Promise<string> =>
      ask(
        `${words} --kubeconfig=/dev/null --server=${cluster.server} --insecure-skip-tls-verify --token=${token}`,
      );
    match(await own("get pods --namespace=dev"), /^NAME|No resources found/);
    const name = 'User "system:serviceaccount:dev:prometheus"';
    equal(
      await own("get pods --namespace=prod"),
      `Error from server (Forbidden): pods is forbidden: ${name} cannot list resource "pods" in API group "" in the namespace "prod"`,
    );
    match(await own("get secrets --namespace=dev"), /secrets is forbidden/);
    match(
      await own("auth whoami -o jsonpath={.status.userInfo.username}"),
      /^system:serviceaccount:dev:prometheus$/,
    );
  });

  await context.test("nobody grants more than they have", async () => {
    await kubectl("create rolebinding amy --clusterrole=admin --user=amy --namespace=dev");
    const grant =
      "create rolebinding root --clusterrole=cluster-admin --user=amy --namespace=dev --as=amy";
    match(
      await ask(grant),
      /user "amy" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}\n/,
    );
    match(await ask(grant.replace("cluster-admin", "view")), /rolebinding.*root created/);
  });

  await context.test("auth reconcile, can-i --list and whoami", async () => {
    const file = join(folder.path, "reconcile.yaml");
    writeFileSync(file, deployer.replace("[apps]", '[apps, "extensions"]'));
    match(
      await ask(`auth reconcile -f ${file}`),
      /clusterrole.rbac.authorization.k8s.io\/deployer reconciled/,
    );
    match(await ask("get clusterrole deployer -o jsonpath={.rules}"), /extensions/);
    const listed = await ask("auth can-i --list --namespace=dev --as=dan");
    match(listed, /^pods +\[\] +\[\] +\[get list watch\]$/m);
    match(listed, /^selfsubjectreviews.authentication.k8s.io +\[\] +\[\] +\[create\]$/m);
    match(listed, /^ +\[\/healthz\] +\[\] +\[get\]$/m);
    match(
      await ask("auth whoami --as=dave --as-group=infra"),
      /Username +dave\nGroups +\[infra system:authenticated\]/,
    );
  });
});
