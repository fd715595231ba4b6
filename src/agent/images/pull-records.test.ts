import { deepEqual, equal } from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { mayUse, PullRecords, type PullSecret } from "#agent/images/pull-records.ts";
import { temporaryFolder } from "#test/temporary.ts";

const image = "registry.test/team/web:1";
const secretOf = (name: string, credentialHash = `hash of ${name}`): PullSecret => ({
  uid: `uid of ${name}`,
  namespace: "default",
  name,
  credentialHash,
});

test("PullRecords keep over a restart who may use an image", () => {
  using folder = temporaryFolder("pull-records");
  const clock = createManualClock(Date.parse("2026-01-01T00:00:00Z"));
  const records = new PullRecords(folder.path, clock);
  deepEqual(records.access(image, "sha256:1"), { kind: "loaded" });
  records.begin(image);
  deepEqual(records.access(image, "sha256:1"), { kind: "secrets", secrets: [] });
  records.pulled(image, "sha256:1", secretOf("a"));
  records.pulled("registry.test/team/web@sha256:5", "sha256:1", secretOf("b"));
  records.pulled("registry.test/public:1", "sha256:1", undefined);
  records.end(image);

  const again = new PullRecords(folder.path, clock);
  const secrets = [secretOf("a"), secretOf("b")];
  deepEqual(again.access("registry.test/team/web:2", "sha256:1"), { kind: "secrets", secrets });
  deepEqual(again.access("registry.test/public", "sha256:1"), { kind: "anyone" });
  deepEqual(again.access("registry.test/third:1", "sha256:1"), { kind: "secrets", secrets: [] });
  const [file = ""] = readdirSync(join(folder.path, "pulled"));
  deepEqual(JSON.parse(readFileSync(join(folder.path, "pulled", file), "utf8")), {
    kind: "ImagePulledRecord",
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    lastUpdatedTime: "2026-01-01T00:00:00Z",
    imageRef: "sha256:1",
    credentialMapping: {
      "registry.test/team/web": { kubernetesSecrets: secrets },
      "registry.test/public": { nodePodsAccessible: true },
    },
  });
  deepEqual(readdirSync(join(folder.path, "pulling")), []);
});

test("PullRecords trust no image whose pull was cut short, or whose record is broken", () => {
  using folder = temporaryFolder("pull-records");
  const clock = createManualClock();
  const first = new PullRecords(folder.path, clock);
  first.begin(image);
  first.begin("gone:1");
  first.pulled("other:1", "sha256:2", undefined);
  const [file = ""] = readdirSync(join(folder.path, "pulled"));
  writeFileSync(join(folder.path, "pulled", file), '{"kind');

  const records = new PullRecords(folder.path, clock);
  records.keepOnly(
    [
      { id: "sha256:1", names: [image] },
      { id: "sha256:2", names: ["docker.io/library/other:1"] },
    ],
    1,
  );
  deepEqual(records.access(image, "sha256:1"), { kind: "secrets", secrets: [] });
  deepEqual(records.access("other:1", "sha256:2"), { kind: "secrets", secrets: [] });
  deepEqual(records.access("gone:1", "sha256:3"), { kind: "loaded" });
  records.pulled("other:1", "sha256:2", undefined);
  deepEqual(records.access("other:1", "sha256:2"), { kind: "anyone" });
});

test("PullRecords.keepOnly() forgets what was gone before it looked", () => {
  using folder = temporaryFolder("pull-records");
  const clock = createManualClock(1000);
  const records = new PullRecords(folder.path, clock);
  records.pulled(image, "sha256:old", secretOf("a"));
  clock.advance(1000);
  const seenMs = clock.now();
  records.pulled(image, "sha256:new", secretOf("a"));
  records.keepOnly([], seenMs);
  equal(records.access(image, "sha256:old").kind, "loaded");
  equal(records.access(image, "sha256:new").kind, "secrets");
  equal(readdirSync(join(folder.path, "pulled")).length, 1);
});

test("mayUse() takes the same secret, or the same credentials in another", () => {
  const access = { kind: "secrets", secrets: [secretOf("a")] } as const;
  const cases: readonly [PullSecret, boolean][] = [
    [secretOf("a"), true],
    [secretOf("a", "changed"), true],
    [secretOf("b", "hash of a"), true],
    [secretOf("b"), false],
    [{ ...secretOf("a", "made anew"), uid: "another" }, false],
  ];
  for (const [own, expected] of cases) equal(mayUse(access, [own]), expected, own.name);
  equal(mayUse(access, []), false);
  equal(mayUse({ kind: "loaded" }, []), true);
});
