/** What `/version` answers (`version.Info` of apimachinery), and what the server calls itself. */
export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  /** Semantic: the version of Kubernetes whose API is served, and after a plus sign what serves it. */
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  /** RFC 3339. */
  readonly buildDate: string;
  /** What the program was made with and runs on; upstream names Go's version here. */
  readonly goVersion: string;
  readonly compiler: string;
  /** `linux/amd64`: clients compare it with their own. */
  readonly platform: string;
}

/** Where main does not say more. */
export const unnamedVersion: VersionInfo = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.0+kogge",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "",
};
