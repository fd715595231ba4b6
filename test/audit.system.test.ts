import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import type { AuditEvent } from "#apiserver/audit/event.ts";
import { kubectlFor } from "#test/clients.ts";
import { freePort, koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

test(
  "what kubectl does is in the log and goes to the webhook, attempts to get in too, Secrets never",
  { skip: missing("linux", "clients"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("audit");
    await using collector = await startCollector(folder.path);
    const policy = {
      apiVersion: "audit.k8s.io/v1",
      kind: "Policy",
      omitStages: ["RequestReceived"],
      omitManagedFields: true,
      rules: [
        { level: "None", users: ["system:kogge"] },
        { level: "None", userGroups: ["system:nodes", "system:serviceaccounts:kube-system"] },
        { level: "RequestResponse", resources: [{ group: "" }] },
        { level: "Metadata" },
      ],
    };
    const policyFile = join(folder.path, "policy.yaml");
    const logFile = join(folder.path, "audit.log");
    writeFileSync(policyFile, stringify(policy));
    await using kogge = koggeFor(join(folder.path, "data"));
    const flags = ["--audit-policy-file", policyFile, "--audit-log-path", logFile];
    flags.push("--audit-webhook-config-file", collector.kubeconfig);
    flags.push("--audit-webhook-batch-max-wait", "200ms");
    const words = ["--runtime", "simulated", "--port", String(await freePort()), ...flags];
    const { kubeconfig, server } = await kogge.up(words);
    const kubectl = kubectlFor(kubeconfig);

    await kubectl("create configmap c --from-literal=a=1");
    await kubectl("create secret generic s --from-literal=a=swordfish");
    await kubectl(["patch", "configmap", "c", "-p", '{"data":{"b":"2"}}']);
    equal((await kubectl.try(["get", "secrets", "--as=jane", "-n", "dev"])).code, 1);
    const forged = ["get", "pods", "--token=forged.token.here", "-s", server];
    equal(
      (await kubectlFor(stranger(folder.path)).try([...forged, "--insecure-skip-tls-verify"])).code,
      1,
    );
    await kogge("down");

    const logged = eventsIn(readFileSync(logFile, "utf8"));
    const told = logged.map(lineOf).filter((line) => /configmap|secret|401/.test(line));
    deepEqual(
      told.filter((line, at) => told.indexOf(line) === at),
      [
        "kubernetes-admin create configmaps/c RequestResponse 201 allow",
        "kubernetes-admin create secrets/s Metadata 201 allow",
        "kubernetes-admin get configmaps/c RequestResponse 200 allow",
        "kubernetes-admin patch configmaps/c RequestResponse 200 allow",
        "kubernetes-admin as jane list secrets/ Metadata 403 forbid",
        "nobody get / Metadata 401 none",
      ],
    );
    const patch = logged.find(({ verb }) => verb === "patch");
    deepEqual(patch?.requestObject, { data: { b: "2" } });
    deepEqual((patch?.responseObject as { data?: object } | undefined)?.data, { a: "1", b: "2" });
    match(patch?.userAgent ?? "", /^kubectl\/v1\.36/);
    deepEqual(patch?.sourceIPs, ["127.0.0.1"]);
    const text = readFileSync(logFile, "utf8");
    deepEqual(
      ["swordfish", btoa("swordfish"), "forged"].filter((word) => text.includes(word)),
      [],
    );
    const ids = (events: readonly AuditEvent[]): string[] =>
      events.map(({ auditID, stage }) => `${auditID} ${stage}`).toSorted();
    deepEqual(ids(collector.events), ids(logged), "the webhook gets what the log gets");
    ok(collector.batches < logged.length);
  },
);

test(
  "a policy that cannot be used is refused with its problem",
  { skip: missing("linux"), timeout: 60_000 },
  async () => {
    using folder = temporaryFolder("audit-refused");
    const policyFile = join(folder.path, "policy.yaml");
    writeFileSync(
      policyFile,
      stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{}] }),
    );
    const kogge = koggeFor(join(folder.path, "data"));
    const words = ["--audit-policy-file", policyFile, "--audit-log-path", join(folder.path, "log")];
    const refused = await kogge.try(["up", "--detach", "--runtime", "simulated", ...words]);
    match(refused.stderr, /Cannot use --audit-policy-file .*: rules\[0\]\.level: Required value/);
  },
);

function lineOf({
  user,
  impersonatedUser,
  verb,
  objectRef,
  level,
  responseStatus,
  annotations,
}: AuditEvent): string {
  const as = impersonatedUser === undefined ? "" : ` as ${impersonatedUser.username}`;
  const decision = annotations?.["authorization.k8s.io/decision"] ?? "none";
  const object = `${objectRef?.resource ?? ""}/${objectRef?.name ?? ""}`;
  return `${user.username ?? "nobody"}${as} ${verb} ${object} ${level} ${responseStatus?.code} ${decision}`;
}

function eventsIn(text: string): AuditEvent[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as AuditEvent);
}

function stranger(folder: string): string {
  const file = join(folder, "stranger");
  writeFileSync(file, "");
  return file;
}

/** A service over TLS that takes events, and the kubeconfig that leads to it. */
async function startCollector(folder: string) {
  const pki = createMemoryPki(Date.now());
  const names = { dnsNames: [], ipAddresses: ["127.0.0.1"] };
  const own = pki.certificate("collector", {
    subject: { commonName: "collector" },
    use: "server",
    ...names,
  });
  const state = { events: [] as AuditEvent[], batches: 0 };
  const server = createServer({ key: own.key, cert: own.certificate }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const known = request.headers.authorization === "Bearer collector-token";
      const list = JSON.parse(Buffer.concat(chunks).toString()) as { items: AuditEvent[] };
      if (known) state.events.push(...list.items);
      state.batches += 1;
      response.writeHead(known ? 200 : 401).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, "collector.yaml");
  const authority = Buffer.from(pki.authority.certificate).toString("base64");
  const cluster = {
    server: `https://127.0.0.1:${port}/audit`,
    "certificate-authority-data": authority,
  };
  writeFileSync(
    kubeconfig,
    stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
      clusters: [{ name: "c", cluster }],
      users: [{ name: "c", user: { token: "collector-token" } }],
    }),
  );
  return Object.assign(state, {
    kubeconfig,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  });
}
