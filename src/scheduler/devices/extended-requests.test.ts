import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container } from "#api/generated/types.ts";
import { extendedRequests } from "#scheduler/devices/extended-requests.ts";

const gpu = "example.com/gpu";

function container(name: string, count: number, more: Partial<Container> = {}): Container {
  return { name, image: "i", resources: { requests: { cpu: "1", [gpu]: String(count) } }, ...more };
}

function outcome(initContainers: readonly Container[], containers: readonly Container[]) {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { initContainers, containers },
  };
  const { requests, mappings } = extendedRequests(pod, new Map([[gpu, "gpus"]]));
  return {
    requests: requests.map(({ name, exactly }) => `${name}: ${exactly?.count}`),
    mappings: mappings.map(({ containerName, requestName }) => `${containerName}: ${requestName}`),
  };
}

test("extendedRequests() gives containers devices of their own, and init containers those of later ones first", () => {
  assert.deepEqual(outcome([], [container("a", 1), container("b", 2), container("c", 0)]), {
    requests: ["container-0-request-1: 1", "container-1-request-1: 2"],
    mappings: ["a: container-0-request-1", "b: container-1-request-1"],
  });
  assert.deepEqual(outcome([container("init", 2)], [container("a", 2)]), {
    requests: ["container-1-request-1: 2"],
    mappings: ["a: container-1-request-1", "init: container-1-request-1"],
  });
  const init = [container("one", 4), container("two", 3)];
  assert.deepEqual(outcome(init, [container("a", 2)]), {
    requests: ["container-0-request-1: 2", "container-2-request-1: 2"],
    mappings: [
      "a: container-2-request-1",
      "one: container-2-request-1",
      "one: container-0-request-1",
      "two: container-2-request-1",
      "two: container-0-request-1",
    ],
  });
  const sidecar = container("sidecar", 1, { restartPolicy: "Always" });
  assert.deepEqual(outcome([sidecar, container("init", 1)], [container("a", 0)]), {
    requests: ["container-0-request-1: 1", "container-1-request-1: 1"],
    mappings: ["sidecar: container-0-request-1", "init: container-1-request-1"],
  });
});
