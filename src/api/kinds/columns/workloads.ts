import type { Column, JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import {
  age,
  at,
  column,
  containerImages,
  containerNames,
  count,
  formatLabels,
  formatSelector,
  name,
  none,
  number,
  objects,
  orNone,
  since,
  text,
  unset,
  wide,
} from "#api/kinds/columns/cells.ts";
import { humanDuration } from "#api/kinds/columns/human-duration.ts";

/** The columns of `apps` by kind. */
export const appsColumns: Readonly<Record<string, readonly Column[]>> = {
  ControllerRevision: [
    name,
    column("Controller", "Who the revision belongs to", controllerName),
    column("Revision", "Number of the revision", (object) => number(object, "revision")),
    age,
  ],
  DaemonSet: [
    name,
    statusCount("Desired", "desiredNumberScheduled"),
    statusCount("Current", "currentNumberScheduled"),
    statusCount("Ready", "numberReady"),
    statusCount("Up-to-date", "updatedNumberScheduled"),
    statusCount("Available", "numberAvailable"),
    column("Node Selector", "Labels of the nodes that get a pod", (object) =>
      formatLabels(at(podSpec(object), "nodeSelector")),
    ),
    age,
    ...templateColumns(),
  ],
  Deployment: [
    name,
    column("Ready", "Pods that are ready, of those asked for", readyOfDesired),
    column("Up-to-date", "Pods of the newest template", (object) =>
      number(object, "status", "updatedReplicas"),
    ),
    column("Available", "Pods that are available", (object) =>
      number(object, "status", "availableReplicas"),
    ),
    age,
    ...templateColumns(),
  ],
  ReplicaSet: [
    name,
    count("Desired", "Pods asked for", (object) => number(object, "spec", "replicas")),
    statusCount("Current", "replicas"),
    statusCount("Ready", "readyReplicas"),
    age,
    ...templateColumns(),
  ],
  StatefulSet: [
    name,
    column("Ready", "Pods that are ready, of those asked for", readyOfDesired),
    age,
    ...templateColumns().slice(0, 2),
  ],
};

/** The columns of `batch` by kind. */
export const batchColumns: Readonly<Record<string, readonly Column[]>> = {
  CronJob: [
    name,
    column("Schedule", "When jobs are made", (object) => text(object, "spec", "schedule")),
    column("Timezone", "Time zone of the schedule", (object) =>
      orNone(text(object, "spec", "timeZone")),
    ),
    column(
      "Suspend",
      "Whether no jobs are made",
      (object) => trueFalse(at(object, "spec", "suspend")),
      {
        type: "boolean",
      },
    ),
    count("Active", "Jobs that run", (object) => objects(object, "status", "active").length),
    column("Last Schedule", "Time since a job was made", (object, nowMs) => {
      const time = at(object, "status", "lastScheduleTime");
      return time === undefined ? none : since(time, nowMs);
    }),
    age,
    ...templateColumns("jobTemplate"),
  ],
  Job: [
    name,
    column("Status", "How the job is", jobStatus),
    column("Completions", "Pods that succeeded, of those needed", completions),
    column("Duration", "How long the job has taken", jobDuration),
    age,
    ...templateColumns(),
  ],
};

function statusCount(heading: string, field: string): Column {
  return count(heading, "Number of pods in this state", (object) =>
    number(object, "status", field),
  );
}

function readyOfDesired(object: JsonObject): string {
  return `${number(object, "status", "readyReplicas")}/${number(object, "spec", "replicas")}`;
}

/** What `-o wide` adds: the pod template's containers and the selector. */
function templateColumns(through?: "jobTemplate"): readonly Column[] {
  const specOf = (object: JsonObject): Json | undefined =>
    through === undefined ? at(object, "spec") : at(object, "spec", through, "spec");
  return [
    wide("Containers", "Names of the template's containers", (object) =>
      containerNames(at(specOf(object), "template", "spec")),
    ),
    wide("Images", "Images of the template's containers", (object) =>
      containerImages(at(specOf(object), "template", "spec")),
    ),
    wide("Selector", "Labels of the pods", (object) =>
      formatSelector(at(specOf(object), "selector")),
    ),
  ];
}

function podSpec(object: JsonObject): Json | undefined {
  return at(object, "spec", "template", "spec");
}

function controllerName(object: JsonObject): string {
  const owners = objects(object, "metadata", "ownerReferences");
  const owner = owners.find((one) => at(one, "controller") === true);
  if (owner === undefined) return none;
  const apiVersion = text(owner, "apiVersion");
  const slash = apiVersion.indexOf("/");
  const kind = text(owner, "kind");
  const qualified = slash < 0 ? kind : `${kind}.${apiVersion.slice(0, slash)}`;
  return `${qualified.toLowerCase()}/${text(owner, "name")}`;
}

function trueFalse(value: Json | undefined): string {
  return value === undefined ? unset : value === true ? "True" : "False";
}

function jobStatus(job: JsonObject): string {
  const isTrue = (type: string): boolean => {
    const found = objects(job, "status", "conditions").find((one) => text(one, "type") === type);
    return text(found, "status") === "True";
  };
  if (isTrue("Complete")) return "Complete";
  if (isTrue("Failed")) return "Failed";
  if (at(job, "metadata", "deletionTimestamp") !== undefined) return "Terminating";
  if (isTrue("Suspended")) return "Suspended";
  return isTrue("FailureTarget") ? "FailureTarget" : "Running";
}

function completions(job: JsonObject): string {
  const succeeded = number(job, "status", "succeeded");
  const wanted = at(job, "spec", "completions");
  if (wanted !== undefined) return `${succeeded}/${text(wanted)}`;
  const parallelism = number(job, "spec", "parallelism");
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: JsonObject, nowMs: number): string {
  const start = at(job, "status", "startTime");
  if (typeof start !== "string") return "";
  const end = at(job, "status", "completionTime");
  const endMs = typeof end === "string" ? Date.parse(end) : nowMs;
  return humanDuration(endMs - Date.parse(start));
}
