import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { messageOf } from "#base/log.ts";
import type { JsonObject } from "#api/kind.ts";
import { serviceAccounts, subjectAccessReviews, tokenReviews } from "#api/resources.ts";
import { systemClock } from "#base/clock.ts";
import { createCluster } from "#main/testing.ts";
import type { ServerFlags } from "#main/testing.ts";
import { audience, authority, kubeconfigFor, startIssuer, whoIs } from "#test/outside-logins.ts";
import { accessOf } from "#test/raw-client.ts";
import { temporaryFolder } from "#test/temporary.ts";
import { startWebhookServer, type Said } from "#test/webhook-server.ts";

// People who log in elsewhere, and services outside that decide. Issuer and services are real HTTPS servers.

/** A cluster whose flags name files of these contents. */
async function clusterWith(
  folder: string,
  files: Readonly<Partial<Record<keyof ServerFlags, object>>>,
) {
  const flags = Object.entries(files).map(([flag, content]) => {
    const file = join(folder, `${flag}.yaml`);
    writeFileSync(file, stringify(content));
    return [flag, file] as const;
  });
  return createCluster({ nodes: 0, flags: Object.fromEntries(flags) });
}

const authenticationOf = (...jwt: readonly object[]) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthenticationConfiguration",
  jwt,
});

test("tokens of an issuer log in, with claims mapped by rules; others do not", async () => {
  using folder = temporaryFolder("logins");
  await using issuer = await startIssuer();
  await using second = await startIssuer();
  const base = {
    url: issuer.url,
    certificateAuthority: authority(issuer.server),
    audiences: [audience],
  };
  await using cluster = await clusterWith(folder.path, {
    authenticationConfig: authenticationOf(
      {
        issuer: base,
        claimValidationRules: [{ claim: "hd", requiredValue: "example.com" }],
        claimMappings: {
          username: { claim: "sub", prefix: "oidc:" },
          groups: { claim: "roles", prefix: "oidc:" },
          uid: { claim: "uid" },
          extra: [{ key: "example.com/team", valueExpression: "claims.?team.orValue('')" }],
        },
        userValidationRules: [
          { expression: "!user.username.startsWith('oidc:system:')", message: "reserved name" },
        ],
      },
      {
        issuer: { ...base, url: second.url, certificateAuthority: authority(second.server) },
        claimValidationRules: [
          { expression: "claims.email_verified == true", message: "unverified" },
        ],
        claimMappings: {
          username: { expression: "claims.email" },
          groups: { expression: "claims.realm_access.roles.filter(r, r != 'admin')" },
        },
      },
    ),
  });
  const claims = { sub: "jane", hd: "example.com", roles: ["dev"], uid: "7" };
  const jane = {
    username: "oidc:jane",
    uid: "7",
    groups: ["oidc:dev", "system:authenticated"],
  };
  const who = async (token: Promise<string> | string) => whoIs(cluster, await token);
  deepEqual(await who(issuer.sign({ ...claims, team: "blue" })), {
    ...jane,
    extra: { "example.com/team": ["blue"] },
  });
  deepEqual(await who(issuer.sign({ ...claims, roles: "dev" })), jane);
  const mail = { email: "joe@example.com", email_verified: true };
  deepEqual(await who(second.sign({ ...mail, realm_access: { roles: ["admin", "qa"] } })), {
    username: "joe@example.com",
    groups: ["qa", "system:authenticated"],
  });
  const [head = "", payload = ""] = (await issuer.sign(claims)).split(".");
  const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
  const refused: Readonly<Record<string, Promise<string> | string>> = {
    "another key": issuer.sign(claims, { key: "wrong" }),
    expired: issuer.sign(claims, { ttl: -60 }),
    "another audience": issuer.sign({ ...claims, aud: "other" }),
    "another issuer": issuer.sign({ ...claims, iss: "https://elsewhere" }),
    "signed by the second issuer as the first": second.sign({ ...claims, iss: issuer.url }),
    "no signature": `${none}.${payload}.`,
    "no signature at all": `${head}.${payload}`,
    "a claim with another value": issuer.sign({ ...claims, hd: "example.org" }),
    "a missing claim": issuer.sign({ sub: "jane", roles: [] }),
    "a name that a rule forbids": issuer.sign({ ...claims, sub: "system:admin" }),
    "an unverified address": second.sign({
      ...mail,
      email_verified: false,
      realm_access: { roles: [] },
    }),
    "roles of a wrong type": issuer.sign({ ...claims, roles: 3 }),
  };
  for (const [why, token] of Object.entries(refused)) equal(await who(token), 401, why);
});

test("keys that an issuer takes up later are fetched, and TokenReview knows its tokens", async () => {
  using folder = temporaryFolder("logins");
  await using issuer = await startIssuer();
  const caFile = join(folder.path, "ca.crt");
  writeFileSync(caFile, authority(issuer.server));
  let nowMs = Date.now();
  const clock = { ...systemClock, now: () => nowMs };
  await using cluster = await createCluster({
    nodes: 0,
    clock,
    flags: {
      oidcIssuerUrl: issuer.url,
      oidcClientId: audience,
      oidcCaFile: caFile,
      oidcUsernamePrefix: "-",
      oidcGroupsClaim: "groups",
    },
  });
  const jane = { username: "jane", groups: ["dev", "system:authenticated"] };
  const claims = { sub: "jane", groups: ["dev"] };
  deepEqual(await whoIs(cluster, await issuer.sign(claims)), jane);
  issuer.rotate();
  nowMs += 20_000;
  const token = await issuer.sign(claims);
  deepEqual(await whoIs(cluster, token), jane);
  const review = async (audiences: string[]) => {
    const { status } = await cluster.client.create(tokenReviews, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token, audiences },
    });
    return status?.authenticated ? status.user : undefined;
  };
  deepEqual(await review([]), jane);
  equal(await review(["somebody else"]), undefined);
});

test("TokenReview counts a service account among those who have shown who they are", async () => {
  await using cluster = await createCluster({ nodes: 0 });
  const { client } = cluster;
  const at = { namespace: "default", name: "default", subresource: "token" };
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: {},
    spec: {},
  };
  const account = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  };
  await client.create(serviceAccounts, account).catch(() => {});
  const issued = (await client.post(serviceAccounts, at, request)) as {
    status?: { token?: string };
  };
  const { status } = await client.create(tokenReviews, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    metadata: {},
    spec: { token: issued.status?.token ?? "" },
  });
  deepEqual(status?.user?.groups, [
    "system:serviceaccounts",
    "system:serviceaccounts:default",
    "system:authenticated",
  ]);
});

test("a service reviews tokens, and is asked once for each", async () => {
  using folder = temporaryFolder("logins");
  await using service = await startWebhookServer(({ body }): Said => {
    const { token } = body["spec"] as { token: string };
    const user = { username: "joe", groups: ["qa"], extra: { site: ["north"] } };
    const status: JsonObject =
      token === "good" ? { authenticated: true, user } : { authenticated: false };
    return { body: { ...body, status } };
  });
  await using cluster = await clusterWith(folder.path, {
    authenticationTokenWebhookConfigFile: kubeconfigFor(service),
  });
  const joe = {
    username: "joe",
    groups: ["qa", "system:authenticated"],
    extra: { site: ["north"] },
  };
  deepEqual(await whoIs(cluster, "good"), joe);
  deepEqual(await whoIs(cluster, "good"), joe);
  equal(await whoIs(cluster, "bad"), 401);
  deepEqual(
    service.asked.map(({ headers, body }) => [headers.authorization, body["apiVersion"]]),
    Array(2).fill(["Bearer shown", "authentication.k8s.io/v1"]),
  );
});

test("a service decides on access among the server's own authorizers", async () => {
  using folder = temporaryFolder("logins");
  await using service = await startWebhookServer(({ body }) => {
    const { user } = body["spec"] as { user: string };
    const decisions: Readonly<Record<string, JsonObject>> = {
      jane: { allowed: true, reason: "jane is known" },
      joe: { allowed: false, denied: true, reason: "joe is not welcome" },
    };
    if (user === "broken") return { status: 500, body: {} };
    return { body: { ...body, status: decisions[user] ?? { allowed: false } } };
  });
  const kubeConfigFile = join(folder.path, "access.kubeconfig");
  writeFileSync(kubeConfigFile, stringify(kubeconfigFor(service)));
  await using cluster = await clusterWith(folder.path, {
    authorizationConfig: {
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AuthorizationConfiguration",
      authorizers: [
        {
          type: "Webhook",
          name: "company",
          webhook: {
            timeout: "3s",
            subjectAccessReviewVersion: "v1",
            matchConditionSubjectAccessReviewVersion: "v1",
            failurePolicy: "Deny",
            connectionInfo: { type: "KubeConfigFile", kubeConfigFile },
            matchConditions: [
              { expression: "has(request.resourceAttributes)" },
              { expression: "request.resourceAttributes.resource == 'pods'" },
            ],
          },
        },
        { type: "Node", name: "node" },
        { type: "RBAC", name: "rbac" },
      ],
    },
  });
  const may = async (user: string, resource: string, groups: string[] = []) => {
    const { status } = await cluster.client.create(subjectAccessReviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: { user, groups, resourceAttributes: { verb: "list", resource, version: "v1" } },
    });
    return status;
  };
  deepEqual(await may("jane", "pods"), { allowed: true, reason: "jane is known" });
  deepEqual(await may("jane", "pods"), { allowed: true, reason: "jane is known" });
  const denied = { allowed: false, denied: true, reason: "joe is not welcome" };
  deepEqual(await may("joe", "pods"), denied);
  deepEqual(await may("joe", "pods", ["system:masters"]), { allowed: true });
  deepEqual(await may("ann", "pods"), { allowed: false });
  deepEqual(await may("joe", "services"), { allowed: false });
  const before = service.asked.length;
  equal(before, 3);
  deepEqual((await may("broken", "pods"))?.denied, true);
});

test("anonymous access is limited to the paths that are named", async () => {
  using folder = temporaryFolder("logins");
  await using cluster = await clusterWith(folder.path, {
    authenticationConfig: {
      ...authenticationOf(),
      anonymous: { enabled: true, conditions: [{ path: "/livez" }] },
    },
  });
  const { ca, port } = accessOf(cluster.kubeconfig);
  const codes = ["/livez", "/healthz", "/livez/", "/livez/../healthz"].map(
    async (path) => (await fetchWithoutLogin(ca, port, path)).status,
  );
  deepEqual(await Promise.all(codes), [200, 401, 401, 401]);
});

test("a configuration that cannot be used is refused, field by field", async () => {
  using folder = temporaryFolder("logins");
  const issuer = { url: "http://user@example.com?x=1", audiences: ["a", "a"] };
  const broken = clusterWith(folder.path, {
    authenticationConfig: authenticationOf({
      issuer,
      claimValidationRules: [{ claim: "a", expression: "true" }, { expression: "claims.x +" }],
      claimMappings: {
        username: { expression: "claims.email" },
        groups: { claim: "groups" },
        extra: [{ key: "k8s.io/x", valueExpression: "1" }],
      },
      userValidationRules: [{ expression: "user.groups" }],
    }),
  });
  await rejects(broken, (error: Error) => {
    const message = messageOf(error);
    match(message, /^Cannot use --authentication-config .*authenticationConfig\.yaml: /);
    for (const part of [
      'jwt[0].issuer.url: Invalid value: "http://user@example.com?x=1": URL scheme must be https',
      "URL must not contain a username or password",
      "URL must not contain a query",
      'jwt[0].issuer.audiences[1]: Duplicate value: "a"',
      "audienceMatchPolicy must be MatchAny for multiple audiences",
      `jwt[0].claimValidationRules[0]: Invalid value: "a": claim and expression can't both be set`,
      'jwt[0].claimValidationRules[1].expression: Invalid value: "claims.x +": compilation failed: ERROR: <input>:1:',
      "claims.email_verified must be used in",
      "jwt[0].claimMappings.groups.prefix: Required value",
      'jwt[0].claimMappings.extra[0].key: Invalid value: "k8s.io/x": k8s.io, kubernetes.io and their subdomains are reserved',
      'jwt[0].userValidationRules[0].expression: Invalid value: "user.groups": must evaluate to bool',
    ]) {
      equal(message.includes(part), true, `${part}\n  is not in\n${message}`);
    }
    return true;
  });
  await rejects(clusterWith(folder.path, { authorizationConfig: { kind: "Other" } }), (error) =>
    /^Cannot use --authorization-config .*: it is of "" "Other" and not of/.test(messageOf(error)),
  );
});

/** A request without certificate and token. */
function fetchWithoutLogin(ca: string, port: number, path: string): Promise<{ status: number }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, ca, agent: false }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0 });
    });
    asked.on("error", reject);
    asked.end();
  });
}
