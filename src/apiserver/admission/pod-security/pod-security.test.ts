import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodSpec } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { violationsOf, violationsText } from "#apiserver/admission/pod-security/evaluate.ts";
import { createTestServer, type Answered, type TestServer } from "#test/api-server.ts";

const safe = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};
const container = (name: string, securityContext?: JsonObject): JsonObject => ({
  name,
  image: "i",
  ...(securityContext && { securityContext }),
});
const podOf = (name: string, spec: JsonObject): JsonObject => ({ metadata: { name }, spec });

async function serverWith(labels: JsonObject): Promise<TestServer> {
  const api = await createTestServer();
  const body = { metadata: { name: "n", labels } };
  assert.equal((await api.send("POST", "/api/v1/namespaces", { body })).status, 201);
  const account = { metadata: { name: "default" } };
  await api.send("POST", "/api/v1/namespaces/n/serviceaccounts", { body: account });
  return api;
}

const mode = (name: string, level: string, version?: string): JsonObject => ({
  [`pod-security.kubernetes.io/${name}`]: level,
  ...(version && { [`pod-security.kubernetes.io/${name}-version`]: version }),
});

const warningsOf = ({ headers }: Answered): readonly string[] =>
  headers
    .filter(([name]) => name === "warning")
    .map(([, text]) => text.slice('299 - "'.length, -1).replaceAll(String.raw`\"`, '"'));

const bare =
  'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
  'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
  'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
  'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';

test("a pod that is not as its namespace enforces is refused in upstream's words", async () => {
  await using api = await serverWith(mode("enforce", "restricted"));
  const send = (body: JsonObject) => api.send("POST", "/api/v1/namespaces/n/pods", { body });
  const refused = await send(podOf("p", { containers: [container("c")] }));
  const fits = await send(podOf("q", { containers: [container("c", safe)] }));
  assert.deepEqual(
    [refused.status, refused.body.message, fits.status, warningsOf(fits)],
    [403, `pods "p" is forbidden: violates PodSecurity "restricted:latest": ${bare}`, 201, []],
  );
});

test("workloads are warned of, not refused", async () => {
  await using api = await serverWith(mode("warn", "restricted", "v1.25"));
  const template = {
    metadata: { labels: { a: "b" } },
    spec: { containers: [container("c")] },
  };
  const body = {
    metadata: { name: "d" },
    spec: { selector: { matchLabels: { a: "b" } }, template },
  };
  const answer = await api.send("POST", "/apis/apps/v1/namespaces/n/deployments", { body });
  assert.deepEqual(
    [answer.status, warningsOf(answer)],
    [201, [`would violate PodSecurity "restricted:v1.25": ${bare}`]],
  );
});

test("a namespace's labels must be readable, and a stricter level tells which pods it would refuse", async () => {
  await using api = await serverWith({});
  for (const name of ["a", "b"]) {
    const body = podOf(name, { hostPID: true, containers: [container("c", { privileged: true })] });
    assert.equal((await api.send("POST", "/api/v1/namespaces/n/pods", { body })).status, 201);
  }
  const label = (labels: JsonObject) =>
    api.send("PATCH", "/api/v1/namespaces/n", {
      headers: { "content-type": "application/merge-patch+json" },
      text: JSON.stringify({ metadata: { labels } }),
    });
  const wrong = await label({ ...mode("enforce", "strict"), ...mode("audit", "baseline", "1.30") });
  const right = await label(mode("enforce", "baseline"));
  assert.deepEqual(
    [wrong.body.message, right.status, warningsOf(right)],
    [
      'Namespace "n" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, ' +
        'metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: "1.30": must be "latest" or "v1.x"]',
      200,
      [
        'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 1 other pod): host namespaces, privileged",
      ],
    ],
  );
});

/** Beside each other: what a pod does, and what that is called. All else of the pod is as the standards want it. */
const controls: readonly [spec: object, text: string][] = [
  [{ hostNetwork: true, hostIPC: true }, "host namespaces (hostNetwork=true, hostIPC=true)"],
  [
    { volumes: [{ name: "v", hostPath: { path: "/" } }] },
    'restricted volume types (volume "v" uses restricted volume type "hostPath")',
  ],
  [
    { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
    "forbidden sysctls (kernel.msgmax)",
  ],
  [
    { securityContext: { seLinuxOptions: { type: "spc_t", user: "u" } } },
    'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
  ],
  [
    { securityContext: { appArmorProfile: { type: "Unconfined" } } },
    'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
  ],
  [
    { containers: [{ ...container("c", safe), ports: [{ hostPort: 80 }, { hostPort: 443 }] }] },
    'hostPort (container "c" uses hostPorts 443, 80)',
  ],
  [
    { containers: [container("c", { ...safe, procMount: "Unmasked" })] },
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    {
      initContainers: [container("i", { ...safe, capabilities: { drop: ["ALL"], add: ["KILL"] } })],
    },
    'unrestricted capabilities (container "i" must not include "KILL" in securityContext.capabilities.add)',
  ],
  [
    {
      securityContext: { runAsUser: 0 },
      ephemeralContainers: [container("e", { ...safe, runAsUser: 0 })],
    },
    'runAsUser=0 (pod and container "e" must not set runAsUser=0)',
  ],
  [
    { containers: [{ ...container("c", safe), livenessProbe: { httpGet: { host: "h" } } }] },
    'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
  ],
  [
    {
      securityContext: { seccompProfile: { type: "Unconfined" } },
      containers: [container("c", { ...safe, seccompProfile: { type: "Unconfined" } })],
    },
    'seccompProfile (pod and container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
];

test("each control of the level restricted has upstream's words", () => {
  const found = controls.map(([spec]) => {
    const whole = { containers: [container("c", safe)], ...spec } as unknown as PodSpec;
    const violations = violationsOf(
      { metadata: {}, spec: whole },
      { level: "restricted", minor: "latest" },
    );
    return violationsText(violations);
  });
  assert.deepEqual(
    found,
    controls.map(([, text]) => text),
  );
});

test("a level means what it meant in its release", () => {
  const capable = { containers: [container("c", { capabilities: { add: ["NET_ADMIN"] } })] };
  const unescalated = { containers: [container("c", { runAsNonRoot: true })] };
  const reasons = (spec: JsonObject, level: string, minor: number): readonly string[] =>
    violationsOf({ metadata: {}, spec: spec as unknown as PodSpec }, {
      level,
      minor,
    } as never).map(({ reason }) => reason);
  assert.deepEqual(
    [
      reasons(capable, "baseline", 0),
      reasons(unescalated, "restricted", 7),
      reasons(unescalated, "restricted", 21),
      reasons(unescalated, "restricted", 99),
      reasons({ ...unescalated, os: { name: "windows" } }, "restricted", 25),
      reasons({ ...capable, hostUsers: false }, "restricted", 35),
    ],
    [
      ["non-default capabilities"],
      [],
      ["allowPrivilegeEscalation != false", "seccompProfile"],
      ["allowPrivilegeEscalation != false", "unrestricted capabilities", "seccompProfile"],
      [],
      ["allowPrivilegeEscalation != false", "unrestricted capabilities", "seccompProfile"],
    ],
  );
});
