import { deepEqual, equal, match } from "node:assert/strict";
import { podTemplate, scripts } from "#test/tutorials/manifests.ts";
import { images, type Shell } from "#test/tutorials/shell.ts";

/** The pages on DaemonSets: one on each node, an update that goes from node to node, and the way back. */
export async function runDaemonSet({ kubectl, until }: Shell): Promise<void> {
  const [old, next] = images;
  const daemons = (image: string | undefined) => ({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "logs" },
    spec: {
      selector: { matchLabels: { app: "logs" } },
      template: podTemplate("logs", "sleep 1000", { container: { image } }),
    },
  });
  const rolledOut = async (): Promise<void> => {
    match(await kubectl("rollout status ds/logs --timeout=110s"), /successfully rolled out/);
  };
  await kubectl("apply -f -", daemons(old));
  await rolledOut();
  const spots = await kubectl("get pods -l app=logs -o jsonpath={.items[*].spec.nodeName}");
  const nodes = await kubectl("get nodes -o jsonpath={.items[*].metadata.name}");
  deepEqual(spots.split(" ").toSorted(), nodes.split(" ").toSorted());
  await kubectl("apply -f -", daemons(next));
  await rolledOut();
  await kubectl("rollout undo ds/logs --to-revision=1");
  await rolledOut();
  equal(await kubectl("get ds logs -o jsonpath={..containers[0].image}"), old);
  await kubectl("delete ds logs");
  await until("get pods -l app=logs -o name", "");
}

/** The pages on Jobs: to completion, by index, with a work queue, failing for good, and by a calendar. */
export async function runJobs(shell: Shell): Promise<void> {
  const { kubectl, until } = shell;
  await runOne(shell);
  await runIndexed(shell);
  await failsAtOnce(shell);
  await isMadeByCalendar(shell);
  await kubectl("delete job --all");
  await until("get pods -l job-name -o name", "");
}

/** Simulated pods end when an annotation says so. */
function jobSpec(
  script: string,
  { more = {}, exitCode = 0 }: { more?: object; exitCode?: number } = {},
) {
  const metadata = {
    annotations: {
      "simulated.kogge.dev/run-seconds": "0",
      "simulated.kogge.dev/exit-code": String(exitCode),
    },
  };
  const { metadata: labels, spec } = podTemplate("work", script, { metadata });
  return { ...more, template: { metadata: labels, spec: { ...spec, restartPolicy: "Never" } } };
}

function job(name: string, spec: object) {
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec };
}

const completes = async ({ kubectl }: Shell, name: string): Promise<void> => {
  const words = `wait --for=condition=complete job/${name} --timeout=110s`;
  match(await kubectl(words), /condition met/);
};

async function runOne(shell: Shell): Promise<void> {
  await shell.kubectl("apply -f -", job("pi", jobSpec("echo 3.14159")));
  await completes(shell, "pi");
  if (shell.isReal) equal(await shell.kubectl("logs job/pi"), "3.14159");
}

/** Each of the workers takes the line of its number. */
async function runIndexed(shell: Shell): Promise<void> {
  const { kubectl, isReal } = shell;
  const script = "sed -n $((JOB_COMPLETION_INDEX + 1))p /input/lines";
  const more = { completions: 5, parallelism: 3, completionMode: "Indexed" };
  const { template, ...rest } = jobSpec(script, { more });
  const container = { volumeMounts: [{ name: "input", mountPath: "/input" }] };
  const spec = {
    ...template.spec,
    containers: template.spec.containers.map((one) => ({ ...one, ...container })),
    volumes: [{ name: "input", configMap: { name: "input" } }],
  };
  const lines = ["foo", "bar", "baz", "qux", "xyz"];
  await kubectl("apply -f -", [
    scripts("input", { lines: `${lines.join("\n")}\n` }),
    job("indexed", { ...rest, template: { ...template, spec } }),
  ]);
  await completes(shell, "indexed");
  equal(await kubectl("get job indexed -o jsonpath={.status.completedIndexes}"), "0-4");
  if (!isReal) return;
  for (const [index, line] of lines.entries()) {
    const label = `batch.kubernetes.io/job-completion-index=${index}`;
    equal(await kubectl(`logs -l job-name=indexed,${label}`), line);
  }
}

/** An exit code that means a bug in the program ends the Job without trying again. */
async function failsAtOnce({ kubectl, until }: Shell): Promise<void> {
  const rule = {
    action: "FailJob",
    onExitCodes: { containerName: "main", operator: "In", values: [42] },
  };
  const more = { backoffLimit: 6, podFailurePolicy: { rules: [rule] } };
  await kubectl("apply -f -", job("buggy", jobSpec("exit 42", { more, exitCode: 42 })));
  await until(
    "get job buggy -o jsonpath='{.status.conditions[?(@.type==\"Failed\")].reason}'",
    "PodFailurePolicy",
  );
  equal(await kubectl("get job buggy -o jsonpath={.status.failed}"), "1");
}

async function isMadeByCalendar(shell: Shell): Promise<void> {
  const { kubectl, refused } = shell;
  const calendar = (timeZone: string) => ({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "hello" },
    spec: { schedule: "0 0 1 1 *", timeZone, jobTemplate: { spec: jobSpec("date") } },
  });
  await kubectl("apply -f -", calendar("Europe/Hamburg")).then(
    () => Promise.reject(new Error("Hamburg is no time zone")),
    (error: unknown) => match(String(error), /unknown time zone Europe\/Hamburg/),
  );
  await kubectl("apply -f -", calendar("Europe/Berlin"));
  await kubectl("create job --from=cronjob/hello by-hand");
  await completes(shell, "by-hand");
  await kubectl("delete cronjob hello");
  match(await refused("get cronjob hello"), /not found/);
}
