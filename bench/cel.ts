import process from "node:process";
import { compileExpression, evaluate, type Program } from "#api/cel/compile-expression.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { dynType } from "#api/cel/type.ts";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

// `node bench/cel.ts`: what an expression costs beside the same written in JavaScript, and what rules and policies add
// to a write. In CPU time, of one process.

interface Port {
  readonly number: number;
}

interface Spec {
  readonly replicas: number;
  readonly name: string;
  readonly ports: readonly Port[];
  readonly labels: Readonly<Record<string, string>>;
}

const self = {
  spec: {
    replicas: 3,
    name: "web-1",
    ports: [{ number: 80 }, { number: 443 }],
    labels: { app: "x", tier: "front" },
  },
};

const pairs: readonly (readonly [
  source: string,
  same: (object: { readonly spec: Spec }) => boolean,
])[] = [
  [
    "self.spec.replicas <= 5 && self.spec.name.startsWith('web')",
    ({ spec }) => spec.replicas <= 5 && spec.name.startsWith("web"),
  ],
  [
    "self.spec.ports.all(p, p.number > 0 && p.number < 65536)",
    ({ spec }) => spec.ports.every((port) => port.number > 0 && port.number < 65_536),
  ],
  [
    "self.spec.labels.exists(k, k == 'app') && size(self.spec.ports) < 10",
    ({ spec }) => Object.keys(spec.labels).some((key) => key === "app") && spec.ports.length < 10,
  ],
];

const rounds = 200_000;
const writesCount = 2_000;
const environment = kubernetesEnvironment(new Map([["self", dynType]]));

process.stdout.write("compile µs  evaluate µs  in JavaScript µs  expression\n");
for (const [source, same] of pairs) {
  const compileUs = each(2_000, () => compileExpression(source, environment));
  const program = programOf(source);
  const evaluateUs = each(rounds, () => evaluate(program, { self }));
  const rawUs = each(rounds, () => same(self));
  const cells = [
    compileUs.toFixed(0).padStart(10),
    evaluateUs.toFixed(2).padStart(11),
    rawUs.toFixed(3).padStart(16),
  ];
  process.stdout.write(`${cells.join("  ")}  ${source}\n`);
}

process.stdout.write("\nrules  create µs  ratio\n");
let without: number | undefined;
for (const count of [0, 10, 100]) {
  await using server = await createTestServer();
  await defineWithRules(server, count);
  const perWriteUs = await writes(server, "/apis/bench.io/v1/namespaces/default/things", {
    spec: self.spec,
  });
  without ??= perWriteUs;
  row(count, perWriteUs, without);
}

process.stdout.write("\npolicies  create µs  ratio\n");
without = undefined;
for (const count of [0, 1, 10]) {
  await using server = await createTestServer();
  for (let at = 0; at < count; at += 1) await enact(server, `p${at}`);
  const perWriteUs = await writes(server, "/api/v1/namespaces/default/configmaps", {
    data: { a: "1" },
  });
  without ??= perWriteUs;
  row(count, perWriteUs, without);
}

function programOf(source: string): Program {
  const { program, errors } = compileExpression(source, environment);
  if (program === undefined) throw new Error(errors);
  return program;
}

function each(times: number, act: () => unknown): number {
  for (let at = 0; at < times / 10; at += 1) act();
  const before = cpuUs();
  for (let at = 0; at < times; at += 1) act();
  return (cpuUs() - before) / times;
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function row(count: number, us: number, without: number): void {
  process.stdout.write(
    `${String(count).padEnd(8)} ${us.toFixed(0).padStart(9)}  ${(us / without).toFixed(2)}\n`,
  );
}

async function writes(server: TestServer, path: string, content: JsonObject): Promise<number> {
  let next = 0;
  const create = async (): Promise<void> => {
    next += 1;
    const body = { metadata: { name: `n${next}` }, ...content };
    const { status, text } = await server.send("POST", path, { body });
    if (status !== 201) throw new Error(text);
  };
  for (let at = 0; at < writesCount / 4; at += 1) await create();
  const before = cpuUs();
  for (let at = 0; at < writesCount; at += 1) await create();
  return (cpuUs() - before) / writesCount;
}

async function defineWithRules(server: TestServer, count: number): Promise<void> {
  const port = { type: "object", properties: { number: { type: "integer" } } };
  const properties = {
    replicas: { type: "integer" },
    name: { type: "string", maxLength: 63 },
    ports: { type: "array", maxItems: 20, items: port },
    labels: { type: "object", maxProperties: 20, additionalProperties: { type: "string" } },
  };
  const rules = Array.from({ length: count }, (_none, index) => {
    const [source = ""] = pairs[index % pairs.length] ?? [];
    return { rule: `${source} && ${index} >= 0` };
  });
  const openAPIV3Schema = {
    type: "object",
    "x-kubernetes-validations": rules,
    properties: { spec: { type: "object", properties } },
  };
  const body = {
    metadata: { name: "things.bench.io" },
    spec: {
      group: "bench.io",
      scope: "Namespaced",
      names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const made = await server.send("POST", path, { body });
  if (made.status !== 201) throw new Error(made.text);
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function enact(server: TestServer, name: string): Promise<void> {
  const root = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic";
  const rule = {
    apiGroups: [""],
    apiVersions: ["v1"],
    operations: ["CREATE"],
    resources: ["configmaps"],
  };
  const validations = [{ expression: "object.data.all(k, k.size() < 10) && variables.count < 5" }];
  const variables = [{ name: "count", expression: "object.data.size()" }];
  const spec = { matchConstraints: { resourceRules: [rule] }, validations, variables };
  await server.send("POST", `${root}ies`, { body: { metadata: { name }, spec } });
  const binding = { policyName: name, validationActions: ["Deny"] };
  await server.send("POST", `${root}ybindings`, { body: { metadata: { name }, spec: binding } });
}
