/**
 * The one dependency rule: a module imports only what its row names, and itself. Modules marked "anywhere" use
 * Node only inside a folder named `node/`, so that they also run in a browser.
 */
export interface Layer {
  readonly module: string;
  readonly mayImport: readonly string[];
  readonly runs: "anywhere" | "node" | "browser";
}

const aboveClient = ["base", "api", "client", "reconcile"];

export const layers: readonly Layer[] = [
  { module: "base", mayImport: [], runs: "anywhere" },
  { module: "api", mayImport: ["base"], runs: "anywhere" },
  { module: "storage", mayImport: ["base"], runs: "anywhere" },
  { module: "apiserver", mayImport: ["base", "api", "storage"], runs: "anywhere" },
  { module: "client", mayImport: ["base", "api"], runs: "anywhere" },
  { module: "reconcile", mayImport: ["base", "api", "client"], runs: "anywhere" },
  { module: "controllers", mayImport: aboveClient, runs: "anywhere" },
  { module: "scheduler", mayImport: aboveClient, runs: "anywhere" },
  { module: "bpf", mayImport: ["base"], runs: "node" },
  { module: "agent", mayImport: aboveClient, runs: "node" },
  { module: "network", mayImport: [...aboveClient, "bpf"], runs: "node" },
  { module: "observe", mayImport: [...aboveClient, "bpf"], runs: "node" },
  { module: "addons", mayImport: aboveClient, runs: "node" },
  { module: "cli", mayImport: ["base", "api", "client"], runs: "node" },
  { module: "console", mayImport: ["base", "api", "client"], runs: "browser" },
  {
    module: "main",
    mayImport: [
      "base",
      "api",
      "storage",
      "apiserver",
      "client",
      "reconcile",
      "controllers",
      "scheduler",
      "bpf",
      "agent",
      "network",
      "observe",
      "addons",
      "cli",
      "console",
    ],
    runs: "node",
  },
];

/** Folders inside Node modules that run anywhere all the same. */
export const anywhereFolders: readonly string[] = ["agent/simulated"];
