/**
 * Orders API versions as Kubernetes prefers them: `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, then any other
 * name by letters (`k8s.io/apimachinery/pkg/version`, CompareKubeAwareVersionStrings).
 */
export function compareVersions(a: string, b: string): number {
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1;
    if (right !== undefined) return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}

interface Version {
  readonly stability: number;
  readonly major: number;
  readonly minor: number;
}

const stabilities = ["alpha", "beta", "stable"];

function parse(version: string): Version | undefined {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (match === null) return undefined;
  return {
    stability: stabilities.indexOf(match[2] ?? "stable"),
    major: Number(match[1]),
    minor: Number(match[3] ?? 0),
  };
}
