import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

/** What the conformance suite asks of policies, test by test (docs/conformance.md). */
const registration = "/apis/admissionregistration.k8s.io/v1";
const deployments = "/apis/apps/v1/namespaces/default/deployments";

const policies: readonly { readonly what: string; readonly spec: JsonObject }[] = [
  {
    what: "validates a Deployment",
    spec: {
      validations: [
        {
          expression: "object.spec.replicas > 1",
          messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
        },
        {
          expression: "namespaceObject.metadata.name == object.metadata.namespace",
          message: "Internal error! Other namespace should not be allowed.",
        },
      ],
    },
  },
  {
    what: "refers to variables, which refer to others",
    spec: {
      variables: [
        { name: "replicas", expression: "object.spec.replicas" },
        { name: "oddReplicas", expression: "variables.replicas % 2 == 1" },
      ],
      validations: [
        { expression: "variables.replicas > 1", message: "wants replicas > 1, got 1" },
        { expression: "variables.oddReplicas || variables.replicas == 2" },
      ],
    },
  },
];

for (const { what, spec } of policies) {
  test(`a policy ${what}: one replica is refused, two pass`, async () => {
    await using api = await createTestServer();
    await enact(api, spec);
    const refused = await deploy(api, "one", 1);
    assert.equal(refused.status, 422, refused.text);
    assert.equal(
      refused.body.message,
      "deployments.apps \"one\" is forbidden: ValidatingAdmissionPolicy 'replicas' with binding 'replicas' denied request: wants replicas > 1, got 1",
    );
    const passed = await deploy(api, "two", 2);
    assert.equal(passed.status, 201, passed.text);
    const bound = (await api.send("GET", `${registration}/validatingadmissionpolicies/replicas`))
      .body;
    assert.equal((bound.spec as JsonObject).failurePolicy, "Fail");
  });
}

async function enact(api: TestServer, spec: JsonObject): Promise<void> {
  const rules = [
    {
      apiGroups: ["apps"],
      apiVersions: ["v1"],
      operations: ["CREATE"],
      resources: ["deployments"],
    },
  ];
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": "default" } };
  const matchConstraints = { namespaceSelector, resourceRules: rules };
  const made = await api.send("POST", `${registration}/validatingadmissionpolicies`, {
    body: { metadata: { name: "replicas" }, spec: { matchConstraints, ...spec } },
  });
  assert.equal(made.status, 201, made.text);
  const bound = await api.send("POST", `${registration}/validatingadmissionpolicybindings`, {
    body: {
      metadata: { name: "replicas" },
      spec: { policyName: "replicas", validationActions: ["Deny"] },
    },
  });
  assert.equal(bound.status, 201, bound.text);
}

function deploy(api: TestServer, name: string, replicas: number) {
  const labels = { app: name };
  return api.send("POST", deployments, {
    body: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
      },
    },
  });
}
