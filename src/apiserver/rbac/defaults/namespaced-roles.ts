import type { ShortRule } from "#apiserver/rbac/defaults/role-table.ts";

export interface NamespacedRole {
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly ShortRule[];
}

const events: ShortRule = ["create patch update", "core events.k8s.io", "events"];
const locking: readonly ShortRule[] = [
  ["create get list update watch", "coordination.k8s.io", "leases"],
  ["create get list update watch", "coordination.k8s.io", "leasecandidates"],
];

export const namespacedRoles: readonly NamespacedRole[] = [
  {
    namespace: "kube-public",
    name: "system:controller:bootstrap-signer",
    rules: [
      ["get list watch", "core", "configmaps"],
      ["update", "core", "configmaps", "cluster-info"],
      events,
    ],
  },
  {
    namespace: "kube-system",
    name: "extension-apiserver-authentication-reader",
    rules: [["get list watch", "core", "configmaps", "extension-apiserver-authentication"]],
  },
  {
    namespace: "kube-system",
    name: "system::leader-locking-kube-controller-manager",
    rules: locking,
  },
  { namespace: "kube-system", name: "system::leader-locking-kube-scheduler", rules: locking },
  {
    namespace: "kube-system",
    name: "system:controller:bootstrap-signer",
    rules: [["get list watch", "core", "secrets"]],
  },
  {
    namespace: "kube-system",
    name: "system:controller:cloud-provider",
    rules: [["create get list watch", "core", "configmaps"]],
  },
  {
    namespace: "kube-system",
    name: "system:controller:token-cleaner",
    rules: [["delete get list watch", "core", "secrets"], events],
  },
];
