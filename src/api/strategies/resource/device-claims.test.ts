import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { resourceClaimStrategy } from "#api/strategies/resource/device-claims.ts";

const allocation = { devices: { results: [] } };
const user = (uid: string) => ({ resource: "pods", name: uid, uid });

function claim(status: object, metadata: object = {}): JsonObject {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name: "c", namespace: "default", ...metadata },
    spec: {},
    status,
  } as unknown as JsonObject;
}

function problems(status: object, before: object, metadata: object = {}): readonly string[] {
  const causes = resourceClaimStrategy.validateStatusUpdate?.(
    claim(status, metadata),
    claim(before),
  );
  return (causes ?? []).map(({ field, message }) => `${field}: ${message}`);
}

test("the status of a claim has users only with devices, each once, and devices stay what they are", () => {
  const deletionTimestamp = "2026-01-01T00:00:00Z";
  assert.deepEqual(problems({ allocation, reservedFor: [user("a")] }, {}), []);
  assert.deepEqual(problems({}, { allocation, reservedFor: [user("a")] }), []);
  assert.deepEqual(problems({ reservedFor: [user("a")] }, {}), [
    "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
  ]);
  assert.deepEqual(problems({ allocation, reservedFor: [user("a"), user("a")] }, { allocation }), [
    'status.reservedFor[1]: Duplicate value: "a"',
  ]);
  assert.deepEqual(
    problems({ allocation, reservedFor: [user("a")] }, { allocation }, { deletionTimestamp }),
    [
      "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
    ],
  );
  const other = { devices: { results: [{ request: "r", driver: "d", pool: "p", device: "x" }] } };
  assert.match(problems({ allocation: other }, { allocation })[0] ?? "", /field is immutable/);
  const many = Array.from({ length: 257 }, (_, index) => user(String(index)));
  assert.deepEqual(problems({ allocation, reservedFor: many }, { allocation }), [
    "status.reservedFor: Too many: 257: must have at most 256 items",
  ]);
});

test("a selector of a claim that is wrong or too costly is refused where it is written", () => {
  const costly = `device.attributes.all(d, device.attributes.all(e, device.attributes.all(f,
    device.attributes.all(g, device.attributes[d].all(n, n == e && f == g)))))`;
  const selectors = ["device.driver", costly, "device.driver == 'x'", "x".repeat(11_000)];
  const asked = {
    ...claim({}),
    spec: {
      devices: {
        requests: [
          {
            name: "r",
            exactly: {
              deviceClassName: "gpu",
              allocationMode: "ExactCount",
              count: 1,
              selectors: selectors.map((expression) => ({ cel: { expression } })),
            },
          },
        ],
      },
    },
  } as unknown as JsonObject;
  const at = "spec.devices.requests[0].exactly.selectors";
  assert.deepEqual(
    resourceClaimStrategy.validate?.(asked).map(({ field, message }) => `${field}: ${message}`),
    [
      `${at}[0].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string`,
      `${at}[1].cel.expression: Forbidden: too complex, exceeds cost limit`,
      `${at}[3].cel.expression: Too long: may not be more than 10240 bytes`,
    ],
  );
});
