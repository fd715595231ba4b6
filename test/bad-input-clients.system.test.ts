import { deepEqual, equal, match } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { helmFor, kubectlFor } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: good }\n";

test(
  "kubectl shows what is wrong with its files, and applies the good ones among them",
  { skip: missing("clients") },
  async () => {
    using folder = temporaryFolder("broken-files");
    await using cluster = await createCluster();
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const kubectl = kubectlFor(kubeconfig);
    const cases: readonly (readonly [text: string, words: readonly string[], said: RegExp])[] = [
      ["a: [1\nb: 2", ["apply"], /error parsing .*: error converting YAML to JSON/],
      ["{", ["apply"], /error (parsing|converting)/],
      [
        "apiVersion: v1\nkind: Thing\nmetadata: { name: x }",
        ["create"],
        /no matches for kind "Thing" in version "v1"/,
      ],
      [
        "apiVersion: things.example.com/v1\nkind: Thing\nmetadata: { name: x }",
        ["apply"],
        /no matches for kind "Thing" in version "things.example.com\/v1"/,
      ],
      [`${good}x: 1\n`, ["apply"], /strict decoding error: unknown field "x"/],
      [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: UPPER }",
        ["apply"],
        /The ConfigMap "UPPER" is invalid: metadata.name: Invalid value: "UPPER": a lowercase RFC 1123 subdomain/,
      ],
      [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\nspec: { replicas: many }",
        ["create", "--validate=false"],
        /cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32/,
      ],
      [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\nspec: {}",
        ["create"],
        /The Deployment "x" is invalid: \n? ?\*? ?spec.selector: Required value/,
      ],
      [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x, namespace: nowhere }",
        ["apply"],
        /namespaces "nowhere" not found/,
      ],
      [`${good}data: { a: 1 }\n`, ["apply", "--server-side"], /expected string, got/],
    ];
    for (const [text, words, said] of cases) {
      const { code, stderr } = await kubectl.try([...words, "-f", "-"], { input: text });
      equal(code, 1, stderr);
      match(stderr, said);
    }
    const mixed = `${good}---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: UPPER }\n---\n${good.replace("good", "fine")}`;
    const { code, stdout } = await kubectl.try(["apply", "-f", "-"], { input: mixed });
    deepEqual([code, stdout], [1, "configmap/good created\nconfigmap/fine created\n"]);
    for (const [words, said] of [
      [["get", "things"], /the server doesn't have a resource type "things"/],
      [["get", "pods", "-l", "a in ("], /unable to parse requirement/],
      [["get", "pods", "--field-selector", "x=y"], /field label not supported: x/],
      [["delete", "configmap", "gone"], /configmaps "gone" not found/],
      [
        ["patch", "configmap", "good", "--type=json", "-p", '[{"op":"remove","path":"/data/x"}]'],
        /missing value|nonexistent|missing path/,
      ],
    ] as const) {
      const outcome = await kubectl.try(words);
      equal(outcome.code, 1, words.join(" "));
      match(outcome.stderr, said);
    }
  },
);

test(
  "helm shows what is wrong with a chart and leaves nothing half done",
  { skip: missing("clients") },
  async () => {
    using folder = temporaryFolder("broken-chart");
    await using cluster = await createCluster();
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const helm = helmFor(kubeconfig);
    const kubectl = kubectlFor(kubeconfig);
    const chart = join(folder.path, "chart");
    mkdirSync(join(chart, "templates"), { recursive: true });
    writeFileSync(join(chart, "Chart.yaml"), "apiVersion: v2\nname: broken\nversion: 0.1.0\n");
    const failure = async (template: string): Promise<string> => {
      writeFileSync(join(chart, "templates/object.yaml"), template);
      return helm(["install", "broken", chart]).then(
        () => "installed",
        (error: Error) => error.message,
      );
    };
    match(await failure("a: {{ .Values.nothing.here }}"), /nil pointer evaluating/);
    match(await failure("a: [1\nb: 2"), /YAML parse error|error converting YAML/);
    match(
      await failure("apiVersion: v9\nkind: Thing\nmetadata: { name: x }"),
      /no matches for kind "Thing" in version "v9"/,
    );
    match(
      await failure("apiVersion: v1\nkind: ConfigMap\nmetadata: { name: UPPER }"),
      /is invalid: metadata.name: Invalid value: "UPPER"/,
    );
    equal(await kubectl("get configmaps -o name"), "configmap/kube-root-ca.crt\n");
    await helm(["uninstall", "broken"]);
    equal(await kubectl("get secrets -o name"), "");
  },
);
