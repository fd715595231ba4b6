import { join } from "node:path";
import type { MetricSpec, Pod, V2HorizontalPodAutoscalerSpec } from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";
import type { Reading } from "#controllers/horizontal-pod-autoscaler/metric-reading.ts";
import {
  planAutoscaler,
  type SelectorProblem,
} from "#controllers/horizontal-pod-autoscaler/plan-autoscaler.ts";
import { goldenPlans } from "#test/golden.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);

/** Times are seconds ago. */
interface Given {
  readonly spec?: Partial<V2HorizontalPodAutoscalerSpec>;
  readonly metrics?: readonly MetricSpec[];
  readonly replicas: number;
  readonly pods?: readonly GivenPod[];
  readonly readings?: readonly (Exclude<Reading, { kind: "pods" }> | { readonly kind: "pods" })[];
  readonly selectorProblem?: SelectorProblem;
  readonly recommended?: readonly (readonly [ago: number, replicas: number])[];
  readonly changed?: readonly (readonly [ago: number, by: number])[];
}

interface GivenPod {
  readonly count?: number;
  /** In thousandths; absent: nothing is known. */
  readonly uses?: number;
  readonly requests?: string;
  readonly ready?: boolean;
  readonly started?: number;
  readonly phase?: string;
}

goldenPlans<Given>(join(import.meta.dirname, "golden"), (given) => {
  const pods = podsOf(given.pods ?? [{ count: given.replicas }]);
  const readings = (given.readings ?? [{ kind: "pods" }]).map((reading): Reading => {
    if (reading.kind !== "pods") return reading;
    const known = pods.flatMap(({ pod, uses }): [string, PodValue][] =>
      uses === undefined ? [] : [[pod.metadata.name ?? "", readingOf(uses)]],
    );
    return { kind: "pods", pods: new Map(known) };
  });
  const { rescale, status, events, history } = planAutoscaler({
    autoscaler: {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "web", namespace: "default" },
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "web" },
        maxReplicas: 10,
        metrics: given.metrics ?? [cpuAtHalf],
        ...given.spec,
      },
    },
    scale: { replicas: given.replicas, statusReplicas: given.replicas, selector: "app=web" },
    readings,
    pods: pods.map(({ pod }) => pod),
    ...(given.selectorProblem && { selectorProblem: given.selectorProblem }),
    history: {
      recommendations: (given.recommended ?? []).map(([ago, replicas]) => ({
        replicas,
        atMs: nowMs - ago * 1000,
      })),
      changes: (given.changed ?? []).map(([ago, by]) => ({
        kind: by > 0 ? "up" : "down",
        count: Math.abs(by),
        atMs: nowMs - ago * 1000,
      })),
    },
    nowMs,
  });
  return {
    rescale,
    current: status.currentMetrics,
    conditions: status.conditions?.map(
      ({ type, status: holds, reason, message }) => `${type} ${holds} ${reason}: ${message}`,
    ),
    events: events.map(({ type, reason, message }) => `${type} ${reason}: ${message}`),
    recommended: history.recommendations.map(({ replicas, atMs }) => [
      (nowMs - atMs) / 1000,
      replicas,
    ]),
  };
});

const cpuAtHalf: MetricSpec = {
  type: "Resource",
  resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
};

interface PodValue {
  readonly value: number;
  readonly timestampMs: number;
  readonly windowMs: number;
}

function readingOf(value: number): PodValue {
  return { value, timestampMs: nowMs - 10_000, windowMs: 15_000 };
}

function podsOf(given: readonly GivenPod[]): readonly { pod: Pod; uses: number | undefined }[] {
  const all = given.flatMap((one) => Array.from({ length: one.count ?? 1 }, () => one));
  return all.map((one, at) => ({ pod: podOf(`web-${at}`, one), uses: one.uses }));
}

function podOf(name: string, given: GivenPod): Pod {
  const { ready = true, started = 3600, phase = "Running", requests = "1" } = given;
  const startTime = rfc3339(nowMs - started * 1000);
  const lastTransitionTime = rfc3339(nowMs - Math.max(0, started - 5) * 1000);
  const status = ready ? "True" : "False";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      containers: [{ name: "main", resources: { requests: { cpu: requests, memory: "100Mi" } } }],
    },
    status: { phase, startTime, conditions: [{ type: "Ready", status, lastTransitionTime }] },
  };
}
