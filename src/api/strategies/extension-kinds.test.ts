import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { strategyOf } from "#api/strategies/strategies.ts";

/** What is found in an object after defaulting, as `field: message`. */
function problemsOf(group: string, kind: string, object: object): readonly string[] {
  const strategy = strategyOf(group, kind);
  const given = structuredClone(object) as JsonObject;
  strategy.fillDefaults?.(given);
  return (strategy.validate?.(given) ?? []).map((cause) => `${cause.field}: ${cause.message}`);
}

const hook = {
  name: "hook.example.com",
  clientConfig: { url: "https://localhost/x" },
  rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
};

const form = "; desired format: https://host[/path]";
const webhooks: readonly [what: string, more: object, problems: readonly string[]][] = [
  ["good", {}, []],
  [
    "a bad URL",
    { clientConfig: { url: "http://me@host/x?a=b#c" } },
    [
      `clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme${form}`,
      'clientConfig.url: Invalid value: "me": user information is not permitted in the URL',
      'clientConfig.url: Invalid value: "c": fragments are not permitted in the URL',
      'clientConfig.url: Invalid value: "a=b": query parameters are not permitted in the URL',
    ],
  ],
  [
    "URL and service",
    { clientConfig: { url: "https://h", service: { namespace: "n", name: "s" } } },
    ["clientConfig: Required value: exactly one of url or service is required"],
  ],
  [
    "a bad service",
    { clientConfig: { service: { namespace: "", name: "s", port: 0, path: "no//slash" } } },
    [
      "clientConfig.service.namespace: Required value",
      "clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
      `clientConfig.service.path: Invalid value: "no//slash": must start with a '/'`,
      'clientConfig.service.path: Invalid value: "no//slash": segment[1] may not be empty',
    ],
  ],
  [
    "rules that say too much",
    {
      rules: [
        {
          apiGroups: ["*", "apps"],
          apiVersions: [""],
          resources: ["*", "pods", "pods/*", "pods/exec"],
          operations: ["*", "LOOK"],
        },
      ],
    },
    [
      `rules[0].operations: Invalid value: ["*","LOOK"]: if '*' is present, must not specify other operations`,
      'rules[0].operations[1]: Unsupported value: "LOOK": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
      `rules[0].apiGroups: Invalid value: ["*","apps"]: if '*' is present, must not specify other API groups`,
      "rules[0].apiVersions[0]: Required value",
      `rules[0].resources[3]: Invalid value: "pods/exec": if 'pods/*' is present, must not specify pods/exec`,
      `rules[0].resources: Invalid value: ["*","pods","pods/*","pods/exec"]: if '*' is present, must not specify other resources without subresources`,
    ],
  ],
  [
    "side effects, versions and time",
    { sideEffects: "Some", admissionReviewVersions: ["v9", "v9"], timeoutSeconds: 31 },
    [
      'sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
      "timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
      'admissionReviewVersions[1]: Invalid value: "v9": duplicate version',
      'admissionReviewVersions: Invalid value: ["v9","v9"]: must include at least one of v1, v1beta1',
    ],
  ],
  [
    "conditions",
    {
      matchConditions: [
        { name: "a", expression: "true" },
        { name: "a", expression: "1" },
        { name: "", expression: " " },
      ],
    },
    [
      'matchConditions[1].expression: Invalid value: "1": must evaluate to bool but got int',
      "matchConditions[2].expression: Required value",
      "matchConditions[2].name: Required value",
      'matchConditions[1].name: Duplicate value: "a"',
    ],
  ],
];

for (const [what, more, problems] of webhooks) {
  test(`a webhook is checked as upstream checks it: ${what}`, () => {
    const object = { metadata: { name: "c" }, webhooks: [{ ...hook, ...more }] };
    for (const kind of ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]) {
      assert.deepEqual(
        problemsOf("admissionregistration.k8s.io", kind, object),
        problems.map((problem) => `webhooks[0].${problem}`),
      );
    }
  });
}

test("an update of a webhook may leave as wrong what was wrong", () => {
  const strategy = strategyOf("admissionregistration.k8s.io", "ValidatingWebhookConfiguration");
  const old = {
    ...hook,
    sideEffects: "Some",
    admissionReviewVersions: ["v9"],
    matchConditions: [],
  };
  const filled = (webhook: object): JsonObject => {
    const object = structuredClone({ metadata: { name: "c" }, webhooks: [webhook] }) as JsonObject;
    strategy.fillDefaults?.(object);
    return object;
  };
  assert.deepEqual(strategy.validateUpdate?.(filled(old), filled(old)), []);
  assert.equal(strategy.validateUpdate?.(filled(old), filled(hook)).length, 2);
});

const flowControl = "flowcontrol.apiserver.k8s.io";

test("flow schemas are checked as upstream checks them", () => {
  const spec = {
    matchingPrecedence: 1,
    priorityLevelConfiguration: { name: "" },
    rules: [
      {
        subjects: [
          { kind: "User", group: { name: "g" } },
          { kind: "ServiceAccount", serviceAccount: { name: "*", namespace: "" } },
        ],
        resourceRules: [{ verbs: ["look"], apiGroups: [], resources: ["*", "pods"] }],
        nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["x", "/a*b"] }],
      },
    ],
  };
  assert.deepEqual(problemsOf(flowControl, "FlowSchema", { metadata: { name: "mine" }, spec }), [
    "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
    "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
    "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
    "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
    "spec.rules[0].subjects[1].serviceAccount.namespace: Required value: must specify namespace for service account",
    'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["look"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
    "spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group",
    `spec.rules[0].resourceRules[0].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources`,
    "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace",
    'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "x": must start with slash',
    'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a*b": wildcard can only do suffix matching',
  ]);
});

test("priority levels are checked as upstream checks them", () => {
  const level = (name: string, spec: object) =>
    problemsOf(flowControl, "PriorityLevelConfiguration", { metadata: { name }, spec });
  const queuing = { queues: 512, handSize: 8, queueLengthLimit: 50 };
  const limited = { limitResponse: { type: "Queue", queuing } };
  assert.deepEqual(level("mine", { type: "Limited", limited }), [
    "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60",
  ]);
  assert.deepEqual(level("mine", { type: "Exempt" }), [
    "spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'",
  ]);
  assert.deepEqual(level("exempt", { type: "Exempt", exempt: { lendablePercent: 5 } }), []);
  const changed = { type: "Limited", limited: { limitResponse: { type: "Reject" } } };
  assert.match(
    level("catch-all", changed)[0] ?? "",
    /spec of 'catch-all' must equal the fixed value$/,
  );
});

test("conversion is checked as upstream checks it, at the paths of its internal type", () => {
  const definition = (conversion: object) => ({
    metadata: { name: "hosts.example.com" },
    spec: {
      group: "example.com",
      scope: "Cluster",
      names: { plural: "hosts", kind: "Host" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object" } },
        },
      ],
      conversion,
    },
  });
  const problems = (conversion: object) =>
    problemsOf("apiextensions.k8s.io", "CustomResourceDefinition", definition(conversion));
  assert.deepEqual(problems({ strategy: "Webhook" }), [
    "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
    "spec.conversion.conversionReviewVersions: Required value",
  ]);
  assert.deepEqual(
    problems({
      strategy: "Webhook",
      webhook: { clientConfig: {}, conversionReviewVersions: ["v2"] },
    }),
    [
      "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
      'spec.conversion.conversionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
    ],
  );
  assert.deepEqual(problems({ strategy: "None", webhook: { conversionReviewVersions: ["v1"] } }), [
    "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook",
  ]);
});
