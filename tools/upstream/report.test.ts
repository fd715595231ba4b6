import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { resultsIn } from "#tools/upstream/report.ts";

const printed = `Running Suite: Kubernetes e2e suite
------------------------------
[sig-apps] Job should run [Conformance] [sig-apps, Conformance]
/src/job.go:1
  STEP: Creating a job
• [2.263 seconds]
------------------------------
[sig-node] Pods should end [Conformance] [sig-node, Conformance]
/src/pods.go:1
  [FAILED] in [It] - /src/pods.go:7
• [FAILED] [4.500 seconds]
[sig-node] Pods [It] should end [Conformance] [sig-node, Conformance]
/src/pods.go:1

  [FAILED] Timed out after 2.014s.
  Expected
      <string>: a
------------------------------

Ran 2 of 7579 Specs in 6.763 seconds
`;

test("what upstream's program prints is read: who passed, who failed and why", () => {
  deepEqual(resultsIn(printed), [
    {
      name: "[sig-apps] Job should run [Conformance] [sig-apps, Conformance]",
      passed: true,
      seconds: 2.263,
      why: "",
    },
    {
      name: "[sig-node] Pods should end [Conformance] [sig-node, Conformance]",
      passed: false,
      seconds: 4.5,
      why: "Timed out after 2.014s.",
    },
  ]);
});
