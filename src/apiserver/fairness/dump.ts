import type { PriorityLevel } from "#apiserver/fairness/priority-level.ts";
import type { Waiting } from "#apiserver/fairness/fair-queues.ts";
import { textResponse } from "#apiserver/content/bytes.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** `/debug/api_priority_and_fairness/dump_…`: levels, queues and who waits in them, as upstream's tables. */
export function answerFairnessDump(
  { fairness }: ServerState,
  request: ApiRequest,
  path: string,
): ApiResponse | undefined {
  const dump = dumps[path.slice(fairnessDumpPrefix.length)];
  if (dump === undefined) return undefined;
  const levels = fairness.configuration.levels();
  const sorted = levels.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const withDetails = (request.query.get("includeRequestDetails") ?? "") !== "";
  return textResponse(200, table(dump(sorted, withDetails)));
}

export const fairnessDumpPrefix = "/debug/api_priority_and_fairness/";

type Row = readonly (string | number | boolean)[];
type Dump = (levels: readonly PriorityLevel[], withDetails: boolean) => readonly Row[];

const dumps: Readonly<Record<string, Dump>> = {
  dump_priority_levels: (levels) => [
    [
      "PriorityLevelName",
      "ActiveQueues",
      "IsIdle",
      "IsQuiescing",
      "WaitingRequests",
      "ExecutingRequests",
      "DispatchedRequests",
      "RejectedRequests",
      "TimedoutRequests",
      "CancelledRequests",
    ],
    ...levels.map(levelRow),
  ],
  dump_queues: (levels) => [
    [
      "PriorityLevelName",
      "Index",
      "PendingRequests",
      "ExecutingRequests",
      "SeatsInUse",
      "NextDispatchR",
      "InitialSeatsSum",
      "MaxSeatsSum",
      "TotalWorkSum",
    ],
    ...levels.flatMap(queueRows),
  ],
  dump_requests: (levels, withDetails) => [
    [
      "PriorityLevelName",
      "FlowSchemaName",
      "QueueIndex",
      "RequestIndexInQueue",
      "FlowDistingsher",
      "ArriveTime",
      "InitialSeats",
      "FinalSeats",
      "AdditionalLatency",
      "StartTime",
      ...(withDetails ? detailNames : []),
    ],
    ...levels.flatMap((level) => waitingRows(level, withDetails)),
  ],
};

const detailNames = [
  "UserName",
  "Verb",
  "APIPath",
  "Namespace",
  "Name",
  "APIVersion",
  "Resource",
  "SubResource",
];

function levelRow(level: PriorityLevel): Row {
  const { name, queues, waiting, executing, dispatched, refused } = level;
  const active = queues.filter((queue) => queue.waiting.length > 0).length;
  const isIdle = waiting === 0 && executing === 0;
  const rejected = refused["queue-full"] + refused["concurrency-limit"];
  const counts = [waiting, executing, dispatched, rejected, refused["time-out"], refused.cancelled];
  return [name, active, isIdle, false, ...counts];
}

function queueRows({ name, queues }: PriorityLevel): Row[] {
  return queues.map((queue, index) => {
    const { waiting, executing, seatsInUse, nextStart, seatsWaiting } = queue;
    const sums = [seatsWaiting, seatsWaiting, `${(seatsWaiting * 0.003).toFixed(8)}ss`];
    return [name, index, waiting.length, executing, seatsInUse, nextStart.toFixed(8), ...sums];
  });
}

function waitingRows({ name, queues }: PriorityLevel, withDetails: boolean): Row[] {
  return queues.flatMap(({ waiting }, queue) =>
    waiting.map((request, index) => {
      const { flow, arrivedMs, seats } = request;
      const arrived = new Date(arrivedMs).toISOString();
      const row = [name, flow.schema, queue, index, flow.distinguisher, arrived, seats, 0, "0s"];
      return [...row, "0001-01-01T00:00:00Z", ...(withDetails ? details(request) : [])];
    }),
  );
}

function details({ arrival: { user, info } }: Waiting): Row {
  const { verb, path, namespace, name, group, version, resource, subresource } = info;
  const apiVersion = group === "" ? version : `${group}/${version}`;
  return [user.name, verb, path, namespace, name, apiVersion, resource, subresource];
}

/** Columns below each other, with commas for programs. */
function table(rows: readonly Row[]): string {
  const cells = rows.map((row) =>
    row.map((cell, index) => (index < row.length - 1 ? `${cell},` : String(cell))),
  );
  const widths = cells.reduce<number[]>(
    (most, row) => row.map((cell, index) => Math.max(most[index] ?? 8, cell.length + 1)),
    [],
  );
  const lines = cells.map((row) =>
    row
      .map((cell, index) => (index < row.length - 1 ? cell.padEnd(widths[index] ?? 0) : cell))
      .join(""),
  );
  return `${lines.join("\n")}\n`;
}
