import { deepEqual, equal, match } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, kubectlVersions } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// The example of the Kubernetes documentation on custom resources, with a real kubectl.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.stable.example.com
spec:
  group: stable.example.com
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              description: What the job does and when.
              properties:
                cronSpec:
                  type: string
                  pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'
                  default: "5 0 * * *"
                image:
                  type: string
                replicas:
                  type: integer
                  minimum: 1
                  maximum: 10
                  default: 1
            status:
              type: object
              properties:
                replicas:
                  type: integer
                labelSelector:
                  type: string
      subresources:
        status: {}
        scale:
          specReplicasPath: .spec.replicas
          statusReplicasPath: .status.replicas
          labelSelectorPath: .status.labelSelector
      additionalPrinterColumns:
        - name: Spec
          type: string
          description: The cron spec defining the interval a CronJob is run
          jsonPath: .spec.cronSpec
        - name: Replicas
          type: integer
          description: The number of jobs launched by the CronJob
          jsonPath: .spec.replicas
        - name: Age
          type: date
          jsonPath: .metadata.creationTimestamp
  scope: Namespaced
  names:
    plural: crontabs
    singular: crontab
    kind: CronTab
    shortNames: [ct]
    categories: [all]
`;

const cronTab = (name: string, spec: string): string => `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: { name: ${name} }
spec: ${spec}
`;

for (const version of kubectlVersions) {
  const title = `kubectl 1.${version} works with the custom resources of the documentation`;
  test(title, { skip: missing("clients") }, async (context) => {
    using folder = temporaryFolder("custom-resources");
    await using cluster = await createCluster();
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const kubectl = kubectlFor(kubeconfig, version);
    const apply = (text: string, ...words: readonly string[]) =>
      kubectl.try(["apply", "-f", "-", ...words], { input: text });

    await context.test("the definition is established and discovered", async () => {
      const file = join(folder.path, "definition.yaml");
      writeFileSync(file, definition);
      await kubectl(["create", "-f", file]);
      await kubectl(
        "wait --for=condition=Established crd/crontabs.stable.example.com --timeout=20s",
      );
      match(await kubectl("api-resources --api-group=stable.example.com"), /crontabs +ct +stable/);
    });

    await context.test("objects: apply, columns, short names, categories", async () => {
      const outcome = await apply(cronTab("my", '{ cronSpec: "* * * * */5", image: my-image }'));
      equal(outcome.stdout, "crontab.stable.example.com/my created\n", outcome.stderr);
      const table = await kubectl("get ct");
      match(table, /^NAME +SPEC +REPLICAS +AGE\nmy +\* \* \* \* \*\/5 +1 +\d+s\n$/);
      match(await kubectl("get all"), /crontab.stable.example.com\/my/);
      match(await kubectl("describe ct my"), /Cron Spec: +\* \* \* \* \*\/5/);
    });

    await context.test("explain tells what the definition says", async () => {
      match(
        await kubectl("explain crontab.spec"),
        /What the job does and when[^]*cronSpec\s+<string>/,
      );
      match(await kubectl("explain ct.metadata.name"), /FIELD: name <string>/);
    });

    await context.test("invalid objects: everything that is wrong, at once", async () => {
      const invalid = await apply(
        cronTab("bad", '{ cronSpec: often, replicas: "three", image: 5 }'),
      );
      equal(invalid.code, 1);
      const lines = invalid.stderr.split("\n");
      const problems = lines.filter((line) => line.startsWith("* ")).toSorted();
      deepEqual(problems, [
        String.raw`* spec.cronSpec: Invalid value: "often": spec.cronSpec in body should match '^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$'`,
        '* spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"',
        '* spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
      ]);
      const unknown = await apply(cronTab("bad", "{ colour: red }"));
      match(unknown.stderr, /strict decoding error: unknown field "spec.colour"/);
    });

    await context.test("scale, patch, server-side apply, dry run, diff", async () => {
      await kubectl("scale ct/my --replicas=3");
      equal(await kubectl("get ct my -o jsonpath={.spec.replicas}"), "3");
      await kubectl(["patch", "ct", "my", "--type=merge", "-p", '{"spec":{"image":"other"}}']);
      const strategic = await kubectl.try(["patch", "ct", "my", "-p", '{"spec":{}}']);
      equal(strategic.code, 1);
      const applied = await apply(
        cronTab("my", "{ replicas: 4 }"),
        "--server-side",
        "--force-conflicts",
      );
      equal(applied.code, 0, applied.stderr);
      const dry = await apply(
        cronTab("my", "{ replicas: 5 }"),
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
      );
      equal(dry.code, 0, dry.stderr);
      equal(await kubectl("get ct my -o jsonpath={.spec.replicas}{.spec.image}"), "4other");
    });

    await context.test("namespaces take custom objects with them", async () => {
      await kubectl("create namespace other");
      const made = await apply(cronTab("inner", "{}"), "--namespace=other");
      equal(made.code, 0, made.stderr);
      await kubectl("delete namespace other --timeout=60s");
      equal(await kubectl("get ct -A -o name"), "crontab.stable.example.com/my\n");
    });

    await context.test("deleting the definition deletes the objects", async () => {
      await kubectl("delete crd crontabs.stable.example.com --timeout=30s");
      const gone = await kubectl.try(["get", "crontabs"]);
      match(gone.stderr, /NotFound|the server doesn't have a resource type/);
    });
  });
}
