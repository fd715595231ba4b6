import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { objectAt, objectsAt } from "#apiserver/objects/json.ts";
import { createTestServer, type Answered } from "#test/api-server.ts";

const path = "/apis/resource.k8s.io/v1/resourceslices";

test("a device's taint is as old as the slice has it, unless it says how old it is", async () => {
  await using api = await createTestServer();
  const slice = (taints: readonly object[]) => ({
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: "slice" },
    spec: {
      driver: "gpu.example.com",
      nodeName: "node",
      pool: { name: "node", generation: 1, resourceSliceCount: 1 },
      devices: [{ name: "gpu-0", taints }, { name: "gpu-1" }],
    },
  });
  const timesOf = ({ body }: Answered) =>
    objectsAt(objectAt(body, "spec"), "devices").map((device) =>
      objectsAt(device, "taints").map(({ timeAdded }) => timeAdded),
    );
  const sick = { key: "sick", value: "very", effect: "NoExecute" };
  const told = { key: "told", effect: "NoSchedule", timeAdded: "2020-01-01T00:00:00Z" };

  const created = await api.send("POST", path, { body: slice([sick, told]) });
  equal(created.status, 201);
  deepEqual(timesOf(created), [["2026-01-01T00:00:00Z", told.timeAdded], []]);

  api.clock.advance(60_000);
  const worse = { ...sick, value: "worse" };
  const written = await api.send("PUT", `${path}/slice`, { body: slice([worse, sick]) });
  deepEqual(timesOf(written), [["2026-01-01T00:01:00Z", "2026-01-01T00:00:00Z"], []]);
});
