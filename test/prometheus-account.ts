/**
 * The `prometheus` of the announcement of role-based access control, for `kubectl apply`: an account of the namespace
 * `dev` whose role lets it list pods there, and nothing else.
 */
export const prometheusAccount = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: prometheus, namespace: dev }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: prometheus-role, namespace: dev }
rules: [{ apiGroups: [""], resources: [pods], verbs: [list] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: prometheus, namespace: dev }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: prometheus-role }
subjects: [{ kind: ServiceAccount, name: prometheus, namespace: dev }]
`;
