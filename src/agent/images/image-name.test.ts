import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { repositoryOf, storedName } from "#agent/images/image-name.ts";

const digest = `sha256:${"a".repeat(64)}`;

test("storedName() and repositoryOf() read references as containerd does", () => {
  const cases: readonly [string, string, string][] = [
    ["web", "docker.io/library/web:latest", "docker.io/library/web"],
    ["team/web:1", "docker.io/team/web:1", "docker.io/team/web"],
    ["host:5000/web", "host:5000/web:latest", "host:5000/web"],
    [`host:5000/a/web:1@${digest}`, `host:5000/a/web@${digest}`, "host:5000/a/web"],
    [`web@${digest}`, `docker.io/library/web@${digest}`, "docker.io/library/web"],
    [digest, digest, ""],
  ];
  for (const [image, stored, repository] of cases) {
    deepEqual([storedName(image), repositoryOf(image)], [stored, repository], image);
  }
});
