import type { JsonObject } from "#api/kind.ts";

/** The query and path parameters of the API's operations. */
export function queryParameters(names: readonly string[]): JsonObject[] {
  return names.map((name) => {
    const known = parameters[name];
    return {
      name,
      in: "query",
      description: known?.description ?? "",
      schema: { type: known?.type ?? "string", uniqueItems: true },
    };
  });
}

export function pathParameter(name: string): JsonObject {
  return {
    name,
    in: "path",
    description: pathDescriptions[name] ?? `the ${name}`,
    required: true,
    schema: { type: "string", uniqueItems: true },
  };
}

export const listParameters: readonly string[] = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];

export const writeParameters: readonly string[] = ["dryRun", "fieldManager", "fieldValidation"];

export const patchParameters: readonly string[] = [...writeParameters, "force"];

export const deleteParameters: readonly string[] = [
  "dryRun",
  "gracePeriodSeconds",
  "ignoreStoreReadErrorWithClusterBreakingPotential",
  "orphanDependents",
  "propagationPolicy",
];

const deletedOnes = new Set(["allowWatchBookmarks", "watch"]);

export const deleteCollectionParameters: readonly string[] = [
  ...deleteParameters,
  ...listParameters.filter((name) => !deletedOnes.has(name)),
];

interface Parameter {
  readonly type: "string" | "boolean" | "integer";
  readonly description: string;
}

const pathDescriptions: Readonly<Record<string, string>> = {
  name: "name of the object",
  namespace: "the namespace of the object",
  path: "the rest of the path, which is passed on",
};

const text = (description: string): Parameter => ({ type: "string", description });
const flag = (description: string): Parameter => ({ type: "boolean", description });
const whole = (description: string): Parameter => ({ type: "integer", description });

const parameters: Readonly<Record<string, Parameter>> = {
  allowWatchBookmarks: flag("Asks for BOOKMARK events, which carry only a resource version."),
  container: text("The container of the pod; needed where it has several."),
  command: text("The command to run, an argument at a time; no shell is involved."),
  continue: text("The token of the previous answer, to go on where that list ended."),
  dryRun: text("All: everything is checked, nothing is stored."),
  fieldManager: text("Who makes the change, as recorded in metadata.managedFields."),
  fieldSelector: text("Keeps objects whose fields have these values."),
  fieldValidation: text(
    "What becomes of unknown and duplicate fields: Ignore, Warn or Strict. The default is Warn.",
  ),
  follow: flag("Stays and sends new lines of the log."),
  force: flag("Takes fields over from other managers; for apply patches only."),
  gracePeriodSeconds: whole("Seconds until the object is deleted; 0 means at once."),
  ignoreStoreReadErrorWithClusterBreakingPotential: flag(
    "Deletes an object that cannot be read any more.",
  ),
  insecureSkipTLSVerifyBackend: flag("Does not check the certificate of the node's agent."),
  labelSelector: text("Keeps objects with these labels."),
  limit: whole("The most objects to answer; the rest follows with the continue token."),
  limitBytes: whole("The most bytes of the log to send."),
  orphanDependents: flag("Deprecated: use propagationPolicy. Leaves dependents alone."),
  path: text("The path to pass on."),
  ports: whole("Ports to forward."),
  pretty: text("true: the answer is indented."),
  previous: flag("The log of the container's previous run."),
  propagationPolicy: text("How dependents are deleted: Orphan, Background or Foreground."),
  resourceVersion: text("The state to read: none for the newest, 0 for any."),
  resourceVersionMatch: text("How resourceVersion is meant: Exact or NotOlderThan."),
  sendInitialEvents: flag("Begins a watch with the objects there are, then a bookmark."),
  shardSelector: text("Keeps objects of a shard."),
  sinceSeconds: whole("Lines no older than this."),
  sinceTime: text("Lines from this time on."),
  stderr: flag("Whether standard error is sent."),
  stdin: flag("Whether standard input is taken."),
  stdout: flag("Whether standard output is sent."),
  stream: text("Which streams of the log: All, Stdout or Stderr."),
  tailLines: whole("The last lines of the log, as many as this."),
  timeoutSeconds: whole("Ends the list or watch after this time."),
  timestamps: flag("Begins every line with its time."),
  tty: flag("Whether the command has a terminal."),
  watch: flag("Answers with changes as they happen."),
};
