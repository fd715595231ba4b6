import type { AuditPolicy } from "#apiserver/audit/policy.ts";

/**
 * What is recorded where a log is asked for and no policy is given: who did what to which object, and whether it was
 * allowed. Left out is what the cluster does by itself all the time: reads by its own parts, leases, events, health
 * checks; but whoever is refused is recorded. Bodies are not.
 */
export const defaultAuditPolicy: AuditPolicy = {
  omitStages: ["RequestReceived"],
  omitManagedFields: true,
  recordsRefusals: true,
  rules: [
    {
      level: "None",
      users: ["system:kogge", "system:apiserver", "system:kube-scheduler"],
      verbs: ["get", "list", "watch"],
    },
    {
      level: "None",
      userGroups: ["system:nodes", "system:serviceaccounts:kube-system"],
      verbs: ["get", "list", "watch"],
    },
    {
      level: "None",
      userGroups: ["system:nodes"],
      verbs: ["update", "patch"],
      resources: [{ group: "", resources: ["nodes/status", "pods/status"] }],
    },
    {
      level: "None",
      users: ["system:kogge"],
      userGroups: ["system:masters"],
      resources: [{ group: "coordination.k8s.io", resources: ["leases"] }],
    },
    {
      level: "None",
      userGroups: ["system:nodes"],
      resources: [{ group: "coordination.k8s.io", resources: ["leases"] }],
    },
    {
      level: "None",
      resources: [
        { group: "", resources: ["events"] },
        { group: "events.k8s.io", resources: ["events"] },
      ],
    },
    {
      level: "None",
      nonResourceURLs: [
        "/healthz*",
        "/livez*",
        "/readyz*",
        "/version",
        "/openapi/*",
        "/api",
        "/apis",
        "/api/*",
        "/apis/*",
      ],
      verbs: ["get", "head"],
    },
    { level: "Metadata" },
  ],
};
