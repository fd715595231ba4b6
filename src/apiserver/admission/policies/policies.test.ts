import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const registration = "/apis/admissionregistration.k8s.io/v1";
const configMaps = "/api/v1/namespaces/default/configmaps";

const configMapRules = {
  resourceRules: [
    {
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["configmaps"],
    },
  ],
};

interface Policy {
  readonly kind: "validating" | "mutating";
  readonly name: string;
  readonly spec: JsonObject;
  readonly bindings?: readonly JsonObject[];
}

/** Stores a policy with its bindings, `b0`, `b1`, …; validating ones deny unless they say otherwise. */
async function enact(server: TestServer, { kind, name, spec, bindings = [{}] }: Policy) {
  const matchConstraints = configMapRules;
  const policy = { metadata: { name }, spec: { matchConstraints, ...spec } };
  const made = await server.send("POST", `${registration}/${kind}admissionpolicies`, {
    body: policy,
  });
  equal(made.status, 201, made.text);
  for (const [index, binding] of bindings.entries()) {
    const actions = kind === "validating" ? { validationActions: ["Deny"] } : {};
    const body = {
      metadata: { name: `b${index}` },
      spec: { policyName: name, ...actions, ...binding },
    };
    const bound = await server.send("POST", `${registration}/${kind}admissionpolicybindings`, {
      body,
    });
    equal(bound.status, 201, bound.text);
  }
}

function create(server: TestServer, data: JsonObject, metadata: JsonObject = {}) {
  return server.send("POST", configMaps, { body: { metadata: { name: "c", ...metadata }, data } });
}

test("a validating policy denies in upstream's words, with the reason that it gives", async () => {
  await using server = await createTestServer();
  const validations: JsonObject[] = [
    { expression: "object.data.all(k, k.size() < 3)" },
    {
      expression: "variables.first != 'no'",
      messageExpression: "'not ' + variables.first",
      reason: "Forbidden",
    },
  ];
  const variables = [{ name: "first", expression: "object.data.?a.orValue('none')" }];
  await enact(server, { kind: "validating", name: "keys", spec: { validations, variables } });
  const long = await create(server, { long: "x" });
  const denial = (why: string) =>
    `ValidatingAdmissionPolicy 'keys' with binding 'b0' denied request: ${why}`;
  const why = denial("failed expression: object.data.all(k, k.size() < 3)");
  deepEqual(
    [long.status, long.body.reason, long.body.message, long.body.details],
    [
      422,
      "Invalid",
      `configmaps "c" is forbidden: ${why}`,
      { name: "c", kind: "configmaps", causes: [{ message: why }] },
    ],
  );
  const named = await create(server, { a: "no" });
  deepEqual(
    [named.status, named.body.reason, named.body.message],
    [403, "Forbidden", `configmaps "c" is forbidden: ${denial("not no")}`],
  );
  equal((await create(server, { a: "yes" })).status, 201);
  const metrics = (await server.send("GET", "/metrics")).text;
  match(
    metrics,
    /apiserver_validating_admission_policy_check_total\{[^}]*enforcement_action="deny"[^}]*\} 2\n/,
  );
});

test("bindings warn, and say where and with which parameters a policy is in force", async () => {
  await using server = await createTestServer();
  const limits = (name: string, labels: JsonObject, max: string) =>
    server.send("POST", configMaps, { body: { metadata: { name, labels }, data: { max } } });
  await limits("small", { limit: "yes" }, "1");
  await limits("large", { limit: "yes" }, "2");
  const validations = [
    {
      expression: "object.data.size() <= int(params.data.max)",
      messageExpression: "'at most ' + params.data.max",
    },
  ];
  const paramKind = { apiVersion: "v1", kind: "ConfigMap" };
  const only = { matchResources: { objectSelector: { matchLabels: { strict: "yes" } } } };
  const all = {
    paramRef: { selector: { matchLabels: { limit: "yes" } }, parameterNotFoundAction: "Deny" },
  };
  const missing = { paramRef: { name: "gone", parameterNotFoundAction: "Deny" } };
  const ignored = { paramRef: { name: "gone", parameterNotFoundAction: "Allow" } };
  await enact(server, {
    kind: "validating",
    name: "size",
    spec: { validations, paramKind },
    bindings: [{ ...all, validationActions: ["Warn"] }, { ...missing, ...only }, ignored],
  });
  const warned = await create(server, { a: "1", b: "2" });
  deepEqual(
    [warned.status, warned.headers.filter(([name]) => name === "warning").map(([, text]) => text)],
    [
      201,
      [
        "299 - \"Validation failed for ValidatingAdmissionPolicy 'size' with binding 'b0': at most 1\"",
      ],
    ],
  );
  const denied = await create(server, {}, { name: "d", labels: { strict: "yes" } });
  equal(
    denied.body.message,
    "configmaps \"d\" is forbidden: ValidatingAdmissionPolicy 'size' with binding 'b1' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
  );
});

test("failures count as the failure policy says; conditions are asked before", async () => {
  await using server = await createTestServer();
  const validations = [{ expression: "object.data.missing == 'x'" }];
  const matchConditions = [{ name: "marked", expression: "object.data.?mark.hasValue()" }];
  await enact(server, {
    kind: "validating",
    name: "fails",
    spec: { validations, matchConditions },
  });
  equal((await create(server, { a: "1" }, { name: "unmarked" })).status, 201);
  const failed = await create(server, { mark: "1" });
  equal(
    failed.body.message,
    "configmaps \"c\" is forbidden: ValidatingAdmissionPolicy 'fails' with binding 'b0' denied request: expression 'object.data.missing == 'x'' resulted in error: no such key: missing",
  );
  const path = `${registration}/validatingadmissionpolicies/fails`;
  await server.send("PATCH", path, {
    body: { spec: { failurePolicy: "Ignore" } },
    headers: { "content-type": "application/merge-patch+json" },
  });
  equal((await create(server, { mark: "1" })).status, 201);
});

test("expressions ask the authorizer and see the namespace", async () => {
  await using server = await createTestServer();
  const validations = [
    {
      expression:
        "namespaceObject.metadata.name == 'default' && authorizer.requestResource.check('create').allowed() && !authorizer.serviceAccount('default', 'nobody').group('').resource('pods').namespace('default').check('get').allowed()",
    },
  ];
  await enact(server, { kind: "validating", name: "asks", spec: { validations } });
  const made = await create(server, {});
  equal(made.status, 201, made.text);
});

test("mutating policies merge and patch, each on what those before it made", async () => {
  await using server = await createTestServer();
  const mutations: JsonObject[] = [
    {
      patchType: "ApplyConfiguration",
      applyConfiguration: {
        expression:
          "Object{metadata: Object.metadata{labels: Object.metadata.labels{made: 'yes'}}}",
      },
    },
    {
      patchType: "JSONPatch",
      jsonPatch: {
        expression:
          "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('x/y'), value: object.metadata.labels.made + '.1'}]",
      },
    },
  ];
  await enact(server, {
    kind: "mutating",
    name: "labels",
    spec: { mutations, reinvocationPolicy: "IfNeeded" },
  });
  const made = await create(server, { a: "1" }, { labels: { own: "1" } });
  equal(made.status, 201, made.text);
  deepEqual((made.body.metadata as JsonObject).labels, { made: "yes", own: "1", "x/y": "yes.1" });
});

test("what a mutation may not do refuses the request", async () => {
  await using server = await createTestServer();
  const applyConfiguration = {
    expression: "Object{metadata: Object.metadata{labels: Object.wrong{made: 'yes'}}}",
  };
  const mutations = [{ patchType: "ApplyConfiguration", applyConfiguration }];
  await enact(server, {
    kind: "mutating",
    name: "wrong",
    spec: { mutations, reinvocationPolicy: "Never" },
  });
  const refused = await create(server, {});
  equal(
    refused.body.message,
    "policy 'wrong' with binding 'b0' denied request: type mismatch: unexpected type name \"Object.wrong\", expected \"Object.metadata.labels\", which matches field name path from root Object type",
  );
});

test("expressions are checked when their policy is written", async () => {
  await using server = await createTestServer();
  const spec: JsonObject = {
    matchConstraints: configMapRules,
    paramKind: { apiVersion: "v1", kind: "ConfigMap" },
    matchConditions: [{ name: "c", expression: "variables.a" }],
    variables: [
      { name: "a", expression: "object.x +" },
      { name: "in", expression: "1" },
    ],
    validations: [
      { expression: "params.data.size() + 1", messageExpression: "authorizer" },
      { expression: "variables.in == 1 && variables.b", reason: "Teapot" },
    ],
  };
  const body = { metadata: { name: "p" }, spec };
  const refused = await server.send("POST", `${registration}/validatingadmissionpolicies`, {
    body,
  });
  const { causes } = refused.body.details as { causes: { field: string; message: string }[] };
  deepEqual(
    causes.map(({ field, message }) => `${field}: ${message.split("\n")[0]}`),
    [
      "spec.matchConditions[0].expression: Invalid value: \"variables.a\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')",
      "spec.variables[0].expression: Invalid value: \"object.x +\": compilation failed: ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
      'spec.variables[1].name: Invalid value: "in": must be a valid CEL identifier',
      'spec.validations[0].expression: Invalid value: "params.data.size() + 1": must evaluate to bool but got int',
      "spec.validations[0].messageExpression: Invalid value: \"authorizer\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')",
      "spec.validations[1].expression: Invalid value: \"variables.in == 1 && variables.b\": compilation failed: ERROR: <input>:1:11: Syntax error: no viable alternative at input '.in'",
      'spec.validations[1].reason: Unsupported value: "Teapot": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"',
    ],
  );
});

test("what expressions get wrong about the kinds they are for stands in the policy's status", async () => {
  await using server = await createTestServer();
  const rules = {
    apiGroups: ["apps"],
    apiVersions: ["v1"],
    operations: ["CREATE"],
    resources: ["deployments"],
  };
  const spec: JsonObject = {
    matchConstraints: { resourceRules: [rules] },
    variables: [{ name: "r", expression: "object.spec.replicas" }],
    validations: [
      { expression: "object.spec.replicas > '1'" },
      { expression: "variables.r > 1 && object.metadata.labels['a'] == 'b'" },
    ],
  };
  const body = { metadata: { name: "p" }, spec };
  const path = `${registration}/validatingadmissionpolicies`;
  equal((await server.send("POST", path, { body })).status, 201);
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  const { status } = (await server.send("GET", `${path}/p`)).body;
  deepEqual(status, {
    observedGeneration: 1,
    typeChecking: {
      expressionWarnings: [
        {
          fieldRef: "spec.validations[0].expression",
          warning:
            "apps/v1, Kind=Deployment: compilation failed: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n",
        },
      ],
    },
  });
});

test("an authorizer that takes its time is waited for", async () => {
  const asked: string[] = [];
  const authorizer: Authorizer = {
    authorize: async ({ user, verb, resource }) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (verb === "approve") asked.push(`${user.name} ${resource}`);
      const allowed = verb !== "approve" || user.name.endsWith(":robot");
      return { allowed, reason: allowed ? "" : "not they" };
    },
  };
  await using server = await createTestServer({ authorizer });
  const check = (who: string): string => `${who}.group('x').resource('things').check('approve')`;
  const robot = check("authorizer.serviceAccount('default', 'robot')");
  const validations: JsonObject[] = [
    { expression: `${robot}.allowed() && ${robot}.allowed()` },
    {
      expression: `${check("authorizer")}.allowed()`,
      messageExpression: "'may not approve'",
    },
  ];
  await enact(server, { kind: "validating", name: "slow", spec: { validations } });
  const refused = await create(server, {});
  equal(
    refused.body.message,
    "configmaps \"c\" is forbidden: ValidatingAdmissionPolicy 'slow' with binding 'b0' denied request: may not approve",
  );
  deepEqual(asked, ["system:serviceaccount:default:robot things", "admin things"]);
});

test("configurations merge into lists by their keys, and leave atomic ones alone", async () => {
  await using server = await createTestServer();
  await server.send("POST", "/api/v1/namespaces/default/serviceaccounts", {
    body: { metadata: { name: "default" } },
  });
  const matchConstraints = {
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
    ],
  };
  const policy = (name: string, expression: string): Policy => {
    const mutations = [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }];
    return {
      kind: "mutating",
      name,
      spec: { matchConstraints, mutations, reinvocationPolicy: "Never" },
    };
  };
  const env = "[Object.spec.containers.env{name: 'A', value: 'new'}]";
  await enact(
    server,
    policy(
      "env",
      `Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, env: ${env}})}}`,
    ),
  );
  const pods = "/api/v1/namespaces/default/pods";
  const container = {
    name: "c",
    image: "i",
    env: [
      { name: "A", value: "old" },
      { name: "B", value: "b" },
    ],
  };
  const pod = (name: string): JsonObject => ({
    metadata: { name },
    spec: { containers: [container] },
  });
  const made = await server.send("POST", pods, { body: pod("p") });
  equal(made.status, 201, made.text);
  const [first] = (made.body.spec as { containers: { env: unknown; image: string }[] }).containers;
  deepEqual(
    [first?.image, first?.env],
    [
      "i",
      [
        { name: "A", value: "new" },
        { name: "B", value: "b" },
      ],
    ],
  );
  const { kind, name, spec } = policy(
    "atomic",
    "Object{spec: Object.spec{tolerations: [Object.spec.tolerations{key: 'x'}]}}",
  );
  await server.send("DELETE", `${registration}/mutatingadmissionpolicybindings/b0`);
  await enact(server, { kind, name, spec });
  equal(
    (await server.send("POST", pods, { body: pod("q") })).body.message,
    "policy 'atomic' with binding 'b0' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.tolerations",
  );
});
