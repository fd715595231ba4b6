/** What `/version` answers, and what the server calls itself. */
export const version = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.0+kogge.0.1.0",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64",
};
