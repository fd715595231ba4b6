import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { systemClock } from "#base/clock.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import { showsOtherwise, VolumeKeeper } from "#agent/pods/volume-keeper.ts";

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", labels: { a: "1" } },
  spec: { containers: [{ name: "c" }] },
};

test("what changes while volumes are being set up is not missed", async () => {
  const read: string[] = [];
  let content = "old";
  const files = {
    setUpVolumes: () => {
      read.push(content);
      if (content === "old") {
        content = "new";
        keeper.markStale();
      }
      return Promise.resolve(0);
    },
  } as unknown as PodFiles;
  const keeper = new VolumeKeeper({ clock: systemClock, files, onStale: () => {} });
  await keeper.setUp(pod, []);
  equal(keeper.isReady, false);
  await keeper.setUp(pod, []);
  equal(keeper.isReady, true);
  deepEqual(read, ["old", "new"]);
});

test("volumes that tell of their pod are shown anew when it has other labels or resources", () => {
  const items = [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }];
  const telling = [
    { name: "v", downwardAPI: { items } },
    { name: "v", projected: { sources: [{ downwardAPI: { items } }] } },
  ];
  const quiet = { name: "v", configMap: { name: "c" } };
  const withVolume = (volume: object, change: Partial<Pod> = {}): Pod => ({
    ...pod,
    ...change,
    spec: { containers: [{ name: "c" }], ...change.spec, volumes: [volume as { name: string }] },
  });
  const labelled = { metadata: { ...pod.metadata, labels: { a: "2" } } };
  const resources = { limits: { cpu: "1" } };
  for (const volume of telling) {
    equal(showsOtherwise(withVolume(volume), withVolume(volume)), false);
    equal(showsOtherwise(withVolume(volume), withVolume(volume, labelled)), true);
    const resized = withVolume(volume, { spec: { containers: [{ name: "c", resources }] } });
    equal(showsOtherwise(withVolume(volume), resized), true);
  }
  equal(showsOtherwise(withVolume(quiet), withVolume(quiet, labelled)), false);
});
