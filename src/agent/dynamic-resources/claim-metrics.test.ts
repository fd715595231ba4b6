import { deepEqual, rejects } from "node:assert/strict";
import { test } from "node:test";
import { GrpcError } from "#agent/containerd/grpc-channel.ts";
import { createClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import { MetricsRegistry } from "#base/metrics.ts";

test("createClaimMetrics() measures operations and calls with upstream's names, labels and buckets", async () => {
  const registry = new MetricsRegistry();
  let nowMs = 0;
  const metrics = createClaimMetrics(registry, { now: () => nowMs });
  const takes = (ms: number, error?: Error) => async (): Promise<void> => {
    nowMs += ms;
    if (error) throw error;
  };
  const late = new GrpcError("/a/b", { code: 4, details: "late" } as never);
  await metrics.operation("PrepareResources", takes(50));
  await rejects(metrics.operation("UnprepareResources", takes(45_000, late)), late);
  const method = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources";
  await metrics.call({ driver: "d", method }, takes(200));
  await rejects(metrics.call({ driver: "d", method }, takes(45_000, late)), late);
  await rejects(metrics.call({ driver: "d", method }, takes(0, new Error("stopped"))));
  metrics.followClaims(
    () =>
      new Map([
        ["<any>", 2],
        ["d", 1],
      ]),
  );
  const lines = registry.exposition().trim().split("\n");
  const called = (code: string) =>
    `driver_name="d",grpc_status_code="${code}",method_name="${method}"`;
  deepEqual(
    lines.filter((line) => !line.startsWith("#") && !line.includes("_bucket")),
    [
      'dra_operations_duration_seconds_sum{is_error="false",operation_name="PrepareResources"} 0.05',
      'dra_operations_duration_seconds_count{is_error="false",operation_name="PrepareResources"} 1',
      'dra_operations_duration_seconds_sum{is_error="true",operation_name="UnprepareResources"} 45',
      'dra_operations_duration_seconds_count{is_error="true",operation_name="UnprepareResources"} 1',
      `dra_grpc_operations_duration_seconds_sum{${called("OK")}} 0.2`,
      `dra_grpc_operations_duration_seconds_count{${called("OK")}} 1`,
      `dra_grpc_operations_duration_seconds_sum{${called("DeadlineExceeded")}} 45`,
      `dra_grpc_operations_duration_seconds_count{${called("DeadlineExceeded")}} 1`,
      `dra_grpc_operations_duration_seconds_sum{${called("Canceled")}} 0`,
      `dra_grpc_operations_duration_seconds_count{${called("Canceled")}} 1`,
      'dra_resource_claims_in_use{driver_name="<any>"} 2',
      'dra_resource_claims_in_use{driver_name="d"} 1',
    ],
  );
  const bounds = lines.flatMap((line) => {
    const found = /^dra_operations.*is_error="false".*le="([^"]+)"/.exec(line);
    return found?.[1] ? [found[1] === "+Inf" ? found[1] : Number(found[1]).toFixed(2)] : [];
  });
  // Fifteen, evenly growing from 0.1 to 40 seconds.
  deepEqual(
    bounds.join(" "),
    "0.10 0.15 0.24 0.36 0.55 0.85 1.30 2.00 3.07 4.71 7.22 11.08 17.00 26.07 40.00 +Inf",
  );
});
