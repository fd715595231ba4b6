import { opaqueType, type Type } from "#api/cel/type.ts";

/** The types that Kubernetes' libraries bring. */
export const cidrType = opaqueType("net.CIDR");
export const formatType = opaqueType("kubernetes.NamedFormat");
export const ipType = opaqueType("net.IP");
export const quantityType = opaqueType("kubernetes.Quantity");
export const semverType = opaqueType("kubernetes.Semver");
export const urlType = opaqueType("kubernetes.URL");
export const authorizerType = opaqueType("kubernetes.authorization.Authorizer");
export const pathCheckType = opaqueType("kubernetes.authorization.PathCheck");
export const groupCheckType = opaqueType("kubernetes.authorization.GroupCheck");
export const resourceCheckType = opaqueType("kubernetes.authorization.ResourceCheck");
export const decisionType = opaqueType("kubernetes.authorization.Decision");

export const opaqueTypes: readonly Type[] = [
  cidrType,
  formatType,
  ipType,
  quantityType,
  semverType,
  urlType,
  authorizerType,
  pathCheckType,
  groupCheckType,
  resourceCheckType,
  decisionType,
];
