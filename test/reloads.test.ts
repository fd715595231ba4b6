import { deepEqual, equal, match } from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { selfSubjectRulesReviews, subjectAccessReviews } from "#api/resources.ts";
import { createLog, messageOf } from "#base/log.ts";
import { createCluster, type ServerFlags, type TestCluster } from "#main/testing.ts";
import { audience, authority, kubeconfigFor, startIssuer, whoIs } from "#test/outside-logins.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { temporaryFolder } from "#test/temporary.ts";
import { startWebhookServer } from "#test/webhook-server.ts";

// Files of a running server that somebody changes.

/** A cluster whose flag names a file; `becomes` changes it and tells what the server says to that. */
async function clusterFollowing(folder: string, flag: keyof ServerFlags, content: object) {
  const file = join(folder, `${flag}.yaml`);
  writeFileSync(file, stringify(content));
  let heard: (what: string) => void = () => {};
  const log = createLog(({ phrase, fields }) => {
    if (phrase === "configuration taken up") heard("taken up");
    if (phrase.startsWith("configuration cannot")) heard(messageOf(fields["error"]));
  });
  const cluster = await createCluster({ nodes: 0, log, flags: { [flag]: file } });
  const said = (change: () => void): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>();
    heard = resolve;
    change();
    return promise;
  };
  return {
    cluster,
    file,
    said,
    becomes: (next: object | string) =>
      said(() => writeFileSync(file, typeof next === "string" ? next : stringify(next))),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

/** What is counted of reloads: `success 1`. */
async function reloads(cluster: TestCluster, subject: string): Promise<readonly string[]> {
  const { text } = await send(accessOf(cluster.kubeconfig), { path: "/metrics" });
  const prefix = `apiserver_${subject}_config_controller`;
  match(text, new RegExp(`${prefix}_last_config_info\\{.*hash="sha256:[0-9a-f]{64}"\\} 1\n`));
  match(text, new RegExp(`${prefix}_automatic_reload_last_timestamp_seconds\\{`));
  const pattern = new RegExp(
    `${prefix}_automatic_reloads_total\\{status="(\\w+)",.*\\} (\\d+)`,
    "g",
  );
  return [...text.matchAll(pattern)].map(([, status, count]) => `${status} ${count}`).toSorted();
}

test("issuers come and go while the server runs; a file that cannot be used changes nothing", async () => {
  using folder = temporaryFolder("reloads");
  await using first = await startIssuer();
  await using second = await startIssuer();
  const entry = (issuer: typeof first) => ({
    issuer: {
      url: issuer.url,
      certificateAuthority: authority(issuer.server),
      audiences: [audience],
    },
    claimMappings: { username: { claim: "sub", prefix: "" } },
  });
  const configured = (...issuers: (typeof first)[]) => ({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: issuers.map(entry),
  });
  await using server = await clusterFollowing(
    folder.path,
    "authenticationConfig",
    configured(first),
  );
  const { cluster, file } = server;
  const tokens = [await first.sign({ sub: "ann" }), await second.sign({ sub: "bob" })];
  const known = async () =>
    (await Promise.all(tokens.map((token) => whoIs(cluster, token)))).map((who) =>
      typeof who === "number" ? who : (who as { username: string }).username,
    );
  deepEqual(await known(), ["ann", 401]);

  equal(await server.becomes(configured(first, second)), "taken up");
  deepEqual(await known(), ["ann", "bob"]);
  equal(first.server.asked.length, 2, "the keys of an issuer that stays are still known");

  const next = `${file}.next`;
  writeFileSync(next, stringify({ ...configured(first), jwt: [{ issuer: { url: "http://x" } }] }));
  match(await server.said(() => renameSync(next, file)), /^jwt\[0\]\.issuer\.url: Invalid value/);
  match(await server.becomes("jwt: ["), /flow sequence/i);
  match(await server.said(() => rmSync(file)), /ENOENT/);
  const open = { ...configured(first, second), anonymous: { enabled: false } };
  equal(
    await server.becomes(open),
    "anonymous: Forbidden: changed from initial configuration file",
  );
  deepEqual(await known(), ["ann", "bob"]);

  equal(await server.becomes(configured(second)), "taken up");
  deepEqual(await known(), [401, "bob"]);
  // A file that goes may be told of more than once.
  match((await reloads(cluster, "authentication")).join(","), /^failure [4-9],success 2$/);
});

test("who decides on access changes while the server runs, and what a server is does not", async () => {
  using folder = temporaryFolder("reloads");
  await using service = await startWebhookServer(({ body }) => {
    const { user } = body["spec"] as { user: string };
    return { body: { ...body, status: { allowed: user === "jane", reason: "by the company" } } };
  });
  const kubeConfigFile = join(folder.path, "company.kubeconfig");
  writeFileSync(kubeConfigFile, stringify(kubeconfigFor(service)));
  const company = {
    type: "Webhook",
    name: "company",
    webhook: {
      timeout: "3s",
      subjectAccessReviewVersion: "v1",
      failurePolicy: "NoOpinion",
      connectionInfo: { type: "KubeConfigFile", kubeConfigFile },
    },
  };
  const [node, rbac] = [
    { type: "Node", name: "node" },
    { type: "RBAC", name: "rbac" },
  ];
  const configured = (...authorizers: object[]) => ({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthorizationConfiguration",
    authorizers,
  });
  await using server = await clusterFollowing(
    folder.path,
    "authorizationConfig",
    configured(node, rbac),
  );
  const { cluster } = server;
  const jane = async () => {
    const { status } = await cluster.client.create(subjectAccessReviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: { user: "jane", resourceAttributes: { verb: "list", resource: "pods", version: "v1" } },
    });
    return status;
  };
  const incomplete = async () => {
    const { status } = await cluster.client.create(selfSubjectRulesReviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      metadata: {},
      spec: { namespace: "default" },
    });
    return status?.evaluationError;
  };
  deepEqual(await jane(), { allowed: false });
  equal(await incomplete(), undefined);

  equal(await server.becomes(configured(company, node, rbac)), "taken up");
  deepEqual(await jane(), { allowed: true, reason: "by the company" });
  equal(await incomplete(), "webhook authorizer does not support user rule resolution");

  equal(await server.becomes(configured(company, node)), "missing required types: [RBAC]");
  match(
    await server.becomes(configured(company, node, { ...rbac, name: "roles" })),
    /^authorizers\[2\]\.name: Invalid value: "roles": expected name rbac for authorizer RBAC$/,
  );
  deepEqual(await jane(), { allowed: true, reason: "by the company" });

  equal(await server.becomes(configured(node, rbac)), "taken up");
  deepEqual(await jane(), { allowed: false });
  deepEqual(await reloads(cluster, "authorization"), ["failure 2", "success 2"]);
});
