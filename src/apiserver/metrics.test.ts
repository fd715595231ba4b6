import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { createTestServer, type TestServer } from "#test/api-server.ts";

/**
 * Families with their types and the labels their samples carry, from upstream's list of metrics; without labels here:
 * no sample is made below.
 */
const expected = `
aggregator_unavailable_apiservice gauge
aggregator_unavailable_apiservice_total counter
apiserver_admission_controller_admission_duration_seconds histogram name,operation,rejected,type
apiserver_admission_match_condition_evaluation_errors_total counter
apiserver_admission_match_condition_evaluation_seconds histogram
apiserver_admission_match_condition_exclusions_total counter
apiserver_admission_step_admission_duration_seconds histogram operation,rejected,type
apiserver_admission_webhook_admission_duration_seconds histogram name,operation,rejected,type
apiserver_admission_webhook_fail_open_count counter name,type
apiserver_admission_webhook_rejection_count counter
apiserver_admission_webhook_request_total counter code,name,operation,rejected,type
apiserver_cel_compilation_duration_seconds histogram -
apiserver_cel_evaluation_duration_seconds histogram -
apiserver_conversion_webhook_duration_seconds histogram
apiserver_conversion_webhook_request_total counter
apiserver_crd_conversion_webhook_duration_seconds histogram
apiserver_current_inflight_requests gauge request_kind
apiserver_longrunning_requests gauge component,group,resource,scope,subresource,verb,version
apiserver_request_duration_seconds histogram component,dry_run,group,resource,scope,subresource,verb,version
apiserver_request_sli_duration_seconds histogram component,group,resource,scope,subresource,verb,version
apiserver_request_total counter code,component,dry_run,group,resource,scope,subresource,system_client,verb,version
apiserver_resource_objects gauge group,resource
apiserver_resource_size_estimate_bytes gauge group,resource
apiserver_response_sizes histogram component,group,resource,scope,subresource,verb,version
apiserver_storage_objects gauge resource
apiserver_validating_admission_policy_check_duration_seconds histogram enforcement_action,error_type,policy,policy_binding
apiserver_validating_admission_policy_check_total counter enforcement_action,error_type,policy,policy_binding
apiserver_watch_events_sizes histogram group,resource,version
apiserver_watch_events_total counter group,resource,version
etcd_request_duration_seconds histogram group,operation,resource
etcd_request_errors_total counter
etcd_requests_total counter group,operation,resource
`;

test("metrics have upstream's names, types and labels", async () => {
  await using api = await createTestServer();
  await exercise(api);
  const { text } = await api.send("GET", "/metrics");
  const found = familiesIn(text).filter((family) => !family.startsWith("apiserver_flowcontrol_"));
  deepEqual(found, expected.trim().split("\n"));
});

test("a plugin that refuses is told apart from one that lets pass", async () => {
  await using api = await createTestServer();
  await api.send("POST", "/api/v1/namespaces/gone/configmaps", { body: configMap });
  await api.send("POST", "/api/v1/namespaces/default/configmaps", { body: configMap });
  const { text } = await api.send("GET", "/metrics");
  const counts = text
    .split("\n")
    .filter((line) => /^apiserver_admission_controller.*_count\{name="NamespaceLif/.test(line));
  const count = "apiserver_admission_controller_admission_duration_seconds_count";
  const labels = (rejected: boolean): string =>
    `{name="NamespaceLifecycle",type="admit",operation="CREATE",rejected="${rejected}"}`;
  deepEqual(counts.filter((line) => line.startsWith(`${count}${labels(true)}`)).length, 1);
  deepEqual(counts.filter((line) => line.startsWith(`${count}${labels(false)}`)).length, 1);
});

const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };

async function exercise(api: TestServer): Promise<void> {
  const registration = "/apis/admissionregistration.k8s.io/v1";
  const rules = [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
  ];
  await api.send("POST", `${registration}/validatingadmissionpolicies`, {
    body: {
      metadata: { name: "small" },
      spec: {
        matchConstraints: { resourceRules: rules },
        validations: [{ expression: "size(object.metadata.name) < 1" }],
      },
    },
  });
  await api.send("POST", `${registration}/validatingadmissionpolicybindings`, {
    body: {
      metadata: { name: "small" },
      spec: { policyName: "small", validationActions: ["Warn"] },
    },
  });
  await api.send("POST", `${registration}/validatingwebhookconfigurations`, {
    body: {
      metadata: { name: "nobody" },
      webhooks: [
        {
          name: "nobody.example.com",
          clientConfig: { url: "https://127.0.0.1:1/" },
          rules,
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          failurePolicy: "Ignore",
        },
      ],
    },
  });
  const watch = await api.watch("/api/v1/namespaces/default/configmaps?watch=true");
  await api.send("POST", "/api/v1/namespaces/default/configmaps", { body: configMap });
  await watch.next();
  watch.close();
  await api.send("GET", "/api/v1/namespaces/default/configmaps");
}

/** One line a family: name, type and the labels of its samples; `-` for samples without. */
function familiesIn(text: string): string[] {
  const families = new Map<string, { type: string; labels: Set<string> | undefined }>();
  for (const line of text.split("\n")) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== "") families.set(name, { type, labels: undefined });
    const sample = /^([a-z_]+?)(?:\{(.*)\})? \S+$/.exec(line);
    if (sample === null) continue;
    const whole = sample[1] ?? "";
    const family = families.get(whole) ?? families.get(whole.replace(/_(bucket|sum|count)$/, ""));
    if (family === undefined) throw new Error(`a sample without a family: ${line}`);
    family.labels ??= new Set();
    for (const [, label = ""] of (sample[2] ?? "").matchAll(/(\w+)="[^"]*"/g)) {
      if (label !== "le") family.labels.add(label);
    }
  }
  return [...families]
    .map(([name, { type, labels }]) => {
      const told = labels && ` ${[...labels].toSorted().join(",") || "-"}`;
      return `${name} ${type}${told ?? ""}`;
    })
    .toSorted();
}
