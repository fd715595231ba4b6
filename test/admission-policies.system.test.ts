import { equal, match } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, kubectlVersions } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// Rules in CEL with a real kubectl: of custom resources, and of policies about Deployments with parameters.

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: shops.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: shops, singular: shop, kind: Shop }
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
              required: [min, max]
              x-kubernetes-validations:
                - rule: self.min <= self.max
                  messageExpression: "'%d is more than %d'.format([self.min, self.max])"
                - rule: self.name == oldSelf.name
                  message: a shop keeps its name
                  fieldPath: .name
              properties:
                name: { type: string, maxLength: 20 }
                min: { type: integer }
                max: { type: integer }
`;

const shop = (name: string, min: number): string => `
apiVersion: example.com/v1
kind: Shop
metadata: { name: shop }
spec: { name: ${name}, min: ${min}, max: 5 }
`;

const policies = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: replicas }
spec:
  failurePolicy: Fail
  paramKind: { apiVersion: v1, kind: ConfigMap }
  matchConstraints:
    resourceRules:
      - { apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments] }
  matchConditions:
    - { name: not-exempt, expression: "!has(object.metadata.labels) || !('exempt' in object.metadata.labels)" }
  variables:
    - { name: max, expression: "int(params.data.max)" }
    - { name: images, expression: "object.spec.template.spec.containers.map(c, c.image)" }
  validations:
    - expression: object.spec.replicas <= variables.max
      messageExpression: "'wants at most ' + string(variables.max) + ' replicas'"
    - expression: variables.images.all(i, i.startsWith('example.com/'))
      message: images come from example.com
      reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: replicas }
spec:
  policyName: replicas
  validationActions: [Deny, Audit]
  paramRef: { name: limits, namespace: default, parameterNotFoundAction: Deny }
  matchResources:
    namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: default } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: limits }
data: { max: "3" }
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: { name: team }
spec:
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
      - { apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments] }
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: >-
          Object{spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{
            labels: Object.spec.template.metadata.labels{team: namespaceObject.metadata.name}}}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: { name: team }
spec: { policyName: team }
`;

for (const version of kubectlVersions) {
  test(`kubectl 1.${version} meets rules and policies`, { skip: missing("clients") }, async () => {
    using folder = temporaryFolder("policies");
    await using cluster = await createCluster();
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const { try: kubectl } = kubectlFor(kubeconfig, version);
    const apply = (input: string) => kubectl(["apply", "-f", "-"], { input });

    equal((await apply(definition)).stderr, "");
    await kubectl(["wait", "--for=condition=Established", "crd/shops.example.com"]);
    match(
      (await apply(shop("a", 6))).stderr,
      /Shop "shop" is invalid: spec: Invalid value: 6 is more than 5/,
    );
    equal((await apply(shop("a", 1))).code, 0);
    match((await apply(shop("b", 1))).stderr, /spec\.name: Invalid value: a shop keeps its name/);
    const costly = definition.replace("self.min <= self.max", "self.name.matches(self.min)");
    match(
      (await apply(costly)).stderr,
      /found no matching overload for 'matches' applied to 'string\.\(int\)'/,
    );

    equal((await apply(policies)).stderr, "");
    const deployment = (name: string, image: string, replicas: string) =>
      kubectl(["create", "deployment", name, `--image=${image}`, `--replicas=${replicas}`]);
    match(
      (await deployment("many", "example.com/web", "4")).stderr,
      /ValidatingAdmissionPolicy 'replicas' with binding 'replicas' denied request: wants at most 3 replicas/,
    );
    const foreign = await deployment("foreign", "other.org/web", "1");
    match(
      foreign.stderr,
      /deployments\.apps "foreign" is forbidden: .* images come from example\.com/,
    );
    const made = await deployment("web", "example.com/web", "2");
    equal(made.stderr, "");
    const path = "jsonpath={.spec.template.metadata.labels.team}";
    equal((await kubectl(["get", "deployment", "web", "-o", path])).stdout, "default");
    const scaled = await kubectl(["scale", "deployment/web", "--replicas=9"]);
    equal(scaled.code, 0, scaled.stderr);
    equal((await kubectl(["delete", "validatingadmissionpolicybinding", "replicas"])).code, 0);
    equal((await deployment("many", "other.org/web", "4")).stderr, "");
  });
}
