import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createAuditor } from "#apiserver/audit/auditor.ts";
import type { AuditEvent } from "#apiserver/audit/event.ts";
import { readAdmissionConfiguration } from "#apiserver/admission/configuration/admission-configuration.ts";
import { systemClock } from "#base/clock.ts";
import { createTestServer, type Answered, type TestServer } from "#test/api-server.ts";

const fileOf = (...plugins: readonly object[]): object => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AdmissionConfiguration",
  plugins,
});
const podSecurity = (content: object): object => ({
  name: "PodSecurity",
  configuration: {
    apiVersion: "pod-security.admission.config.k8s.io/v1",
    kind: "PodSecurityConfiguration",
    ...content,
  },
});
const none = (path: string): never => {
  throw new Error(`nobody names ${path}`);
};

/** A server whose plugins are configured, with a namespace `dev`. */
async function serverWith(plugins: readonly object[], enable: readonly string[] = []) {
  const events: AuditEvent[] = [];
  const api = await createTestServer({
    admission: { enable, configuration: readAdmissionConfiguration(fileOf(...plugins), none) },
    audit: createAuditor({
      policy: { omitStages: ["RequestReceived"], rules: [{ level: "Metadata" }] },
      backends: [{ record: (event) => void events.push(event) }],
      clock: systemClock,
    }),
  });
  await makeNamespace(api, "dev");
  return Object.assign(api, { events });
}

async function makeNamespace(api: TestServer, name: string, labels = {}): Promise<Answered> {
  const made = await api.send("POST", "/api/v1/namespaces", {
    body: { metadata: { name, labels } },
  });
  equal(made.status, 201);
  const account = { metadata: { name: "default" } };
  await api.send("POST", `/api/v1/namespaces/${name}/serviceaccounts`, { body: account });
  return made;
}

async function makePod(
  api: TestServer,
  namespace: string,
  { spec = {}, user = "jane" }: { readonly spec?: object; readonly user?: string } = {},
): Promise<Answered> {
  const body = {
    metadata: { generateName: "p-" },
    spec: { containers: [{ name: "c", image: "i" }], ...spec },
  };
  const groups = ["system:masters", "system:authenticated"];
  const path = `/api/v1/namespaces/${namespace}/pods`;
  return api.send("POST", path, { body, user: { name: user, groups } });
}

const warningsOf = ({ headers }: Answered): readonly string[] =>
  headers
    .filter(([name]) => name === "warning")
    .map(([, text]) => text.slice('299 - "'.length, -1).replaceAll(String.raw`\"`, '"'));

test("PodSecurity holds namespaces without labels to its defaults, and labels go before them", async () => {
  await using api = await serverWith([
    podSecurity({
      defaults: { enforce: "baseline", "enforce-version": "v1.30", warn: "restricted" },
    }),
  ]);
  await makeNamespace(api, "free", { "pod-security.kubernetes.io/enforce": "privileged" });
  const bad = { spec: { hostPID: true } };
  const [refused, allowed, warned] = [
    await makePod(api, "dev", bad),
    await makePod(api, "free", bad),
    await makePod(api, "dev"),
  ];
  equal(
    (refused.body.message as string).replace(/"p-\w+"/, '"p"'),
    'pods "p" is forbidden: violates PodSecurity "baseline:v1.30": host namespaces (hostPID=true)',
  );
  deepEqual([allowed.status, warned.status], [201, 201]);
  equal(warningsOf(warned)[0]?.startsWith('would violate PodSecurity "restricted:latest": '), true);
});

test("PodSecurity lets namespaces, users and runtime classes pass that are exempt, and notes it", async () => {
  const exemptions = {
    namespaces: ["system"],
    usernames: ["builder"],
    runtimeClasses: ["sandboxed"],
  };
  await using api = await serverWith([
    podSecurity({ defaults: { enforce: "restricted" }, exemptions }),
  ]);
  const made = await makeNamespace(api, "system", {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/audit-version": "v1.30",
  });
  deepEqual(warningsOf(made), [
    'namespace "system" is exempt from Pod Security, and the policy (enforce=baseline:latest) will be ignored',
  ]);
  const body = { metadata: { name: "sandboxed" }, handler: "h" };
  await api.send("POST", "/apis/node.k8s.io/v1/runtimeclasses", { body });
  api.events.length = 0;
  const bad = { hostPID: true };
  const codes = [
    await makePod(api, "dev", { spec: bad }),
    await makePod(api, "system", { spec: bad }),
    await makePod(api, "dev", { spec: bad, user: "builder" }),
    await makePod(api, "dev", { spec: { ...bad, runtimeClassName: "sandboxed" } }),
  ].map(({ status }) => status);
  deepEqual(codes, [403, 201, 201, 201]);
  const noted = api.events.map(
    ({ annotations }) => annotations?.["pod-security.kubernetes.io/exempt"],
  );
  deepEqual(noted, [undefined, "namespace", "user", "runtimeClass"]);
  const text = JSON.stringify({
    metadata: { labels: { "pod-security.kubernetes.io/enforce": "baseline" } },
  });
  const headers = { "content-type": "application/merge-patch+json" };
  await api.send("PATCH", "/api/v1/namespaces/dev", {
    headers,
    text: text.replace("baseline", "privileged"),
  });
  const stricter = await api.send("PATCH", "/api/v1/namespaces/dev", { headers, text });
  deepEqual(
    warningsOf(stricter).map((warning) => warning.replace(/^p-\w+/, "p")),
    [
      'existing pods in namespace "dev" violate the new PodSecurity enforce level "baseline:latest"',
      "p: host namespaces",
    ],
    "the pod of the user, and not that of the runtime class",
  );
});

test("PodTolerationRestriction gives and allows what is configured, where a namespace says nothing", async () => {
  const own = { key: "own", operator: "Exists" };
  await using api = await serverWith(
    [
      {
        name: "PodTolerationRestriction",
        configuration: {
          apiVersion: "podtolerationrestriction.admission.k8s.io/v1alpha1",
          kind: "Configuration",
          default: [own],
          whitelist: [own, { operator: "Exists", effect: "NoExecute" }],
        },
      },
    ],
    ["PodTolerationRestriction"],
  );
  const keysOf = ({ body }: Answered): unknown =>
    ((body.spec as JsonObject).tolerations as JsonObject[]).map(({ key }) => key);
  const usual = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
  deepEqual(keysOf(await makePod(api, "dev")), [...usual, "own"]);
  const other = { spec: { tolerations: [{ key: "other", operator: "Exists" }] } };
  equal((await makePod(api, "dev", other)).status, 500);
  const annotations = {
    "scheduler.alpha.kubernetes.io/defaultTolerations": "",
    "scheduler.alpha.kubernetes.io/tolerationsWhitelist": "[]",
  };
  const headers = { "content-type": "application/merge-patch+json" };
  const text = JSON.stringify({ metadata: { annotations } });
  await api.send("PATCH", "/api/v1/namespaces/dev", { headers, text });
  deepEqual(keysOf(await makePod(api, "dev", other)), ["other", ...usual]);
});

test("readAdmissionConfiguration() names every field that is wrong, and the file it stands in", () => {
  const problemsOf = (value: unknown): readonly string[] => {
    try {
      readAdmissionConfiguration(value, (path) => files[path]);
      return [];
    } catch (error) {
      const texts = (error as Error).message.split("; ");
      return texts.map((text) => text.replace(/: a lowercase RFC 1123 .*/, ""));
    }
  };
  const files: Readonly<Record<string, unknown>> = {
    "pods.yaml": {
      apiVersion: "pod-security.admission.config.k8s.io/v2",
      kind: "PodSecurityConfiguration",
      defaults: { enforce: "strict", "warn-version": "1.30", levels: 1 },
      exemptions: {
        namespaces: ["a", "B", "a", 7],
        runtimeClasses: ["x/y"],
        usernames: [""],
      },
    },
  };
  deepEqual(
    problemsOf({
      ...fileOf(
        { name: "PodSecurity", path: "pods.yaml" },
        { name: "EventRateLimit", path: "events.yaml" },
        {
          name: "PodTolerationRestriction",
          configuration: { kind: "Other", default: [{ operator: "Sometimes", key: "a" }] },
        },
        { name: "PodSecurity" },
        { path: "nowhere.yaml", reload: true },
        ["PodSecurity"],
      ),
      plugin: [],
    }),
    [
      "plugin: Forbidden: unknown field",
      'plugins[1].name: Unsupported value: "EventRateLimit": supported values: "PodSecurity", "PodTolerationRestriction"',
      'plugins[3].name: Duplicate value: "PodSecurity"',
      "plugins[4].reload: Forbidden: unknown field",
      "plugins[4].name: Required value",
      'plugins[5]: Invalid value: ["PodSecurity"]: must be an object',
      "plugins[5].name: Required value",
      'plugins[2].configuration.apiVersion: Unsupported value: "": supported values: "podtolerationrestriction.admission.k8s.io/v1alpha1"',
      'plugins[2].configuration.kind: Unsupported value: "Other": supported values: "Configuration"',
      'plugins[2].configuration.default[0].operator: Unsupported value: "Sometimes": supported values: "Equal", "Exists"',
      'plugins[0].path pods.yaml: apiVersion: Unsupported value: "pod-security.admission.config.k8s.io/v2": supported values: "pod-security.admission.config.k8s.io/v1", "pod-security.admission.config.k8s.io/v1beta1", "pod-security.admission.config.k8s.io/v1alpha1"',
      "plugins[0].path pods.yaml: defaults.levels: Forbidden: unknown field",
      'plugins[0].path pods.yaml: defaults.enforce: Invalid value: "strict": must be one of privileged, baseline, restricted',
      'plugins[0].path pods.yaml: defaults.warn-version: Invalid value: "1.30": must be "latest" or "v1.x"',
      'plugins[0].path pods.yaml: exemptions.usernames[0]: Invalid value: "": username must not be empty',
      'plugins[0].path pods.yaml: exemptions.namespaces[1]: Invalid value: "B"',
      'plugins[0].path pods.yaml: exemptions.namespaces[2]: Duplicate value: "a"',
      "plugins[0].path pods.yaml: exemptions.namespaces[3]: Invalid value: 7: must be a string",
      'plugins[0].path pods.yaml: exemptions.runtimeClasses[0]: Invalid value: "x/y"',
    ],
  );
  deepEqual(problemsOf({ kind: "Pod" }), [
    'apiVersion: Unsupported value: "": supported values: "apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1alpha1"',
    'kind: Unsupported value: "Pod": supported values: "AdmissionConfiguration"',
  ]);
  deepEqual(problemsOf(fileOf({ name: "PodSecurity" })), []);
});
