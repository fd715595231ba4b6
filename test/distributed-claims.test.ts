import { deepEqual, equal } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { systemClock } from "#base/clock.ts";
import { createLog, messageOf } from "#base/log.ts";
import { createCluster } from "#main/testing.ts";
import { audience, authority, startIssuer, whoIs } from "#test/outside-logins.ts";
import { temporaryFolder } from "#test/temporary.ts";
import { startWebhookServer } from "#test/webhook-server.ts";

test("groups that a token says where to ask for come from there, signed", async () => {
  using folder = temporaryFolder("distributed-claims");
  await using issuer = await startIssuer();
  await using directory = await startIssuer();
  const answers = {
    good: () => directory.sign({ groups: ["dev", "qa"] }),
    forged: () => directory.sign({ groups: ["admins"] }, { key: "wrong" }),
    others: () => directory.sign({ groups: ["admins"], aud: "somebody else" }),
    silent: () => directory.sign({ roles: [] }),
    plain: () => Promise.resolve('{"groups":["admins"]}'),
  };
  await using source = await startWebhookServer(async ({ path, headers }) => {
    if (headers.authorization !== "Bearer shown") return { status: 401, body: {} };
    return { body: await answers[path.slice(1) as keyof typeof answers]() };
  });
  const file = join(folder.path, "authentication.yaml");
  const authorities = [issuer.server, directory.server, source].map(authority).join("\n");
  writeFileSync(
    file,
    stringify({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AuthenticationConfiguration",
      jwt: [
        {
          issuer: { url: issuer.url, certificateAuthority: authorities, audiences: [audience] },
          claimMappings: {
            username: { claim: "sub", prefix: "" },
            groups: { claim: "groups", prefix: "oidc:" },
          },
        },
      ],
    }),
  );
  let nowMs = Date.now();
  const problems: string[] = [];
  await using cluster = await createCluster({
    nodes: 0,
    clock: { ...systemClock, now: () => nowMs },
    flags: { authenticationConfig: file },
    log: createLog(({ phrase, fields }) => {
      if (phrase === "token of an issuer refused") problems.push(messageOf(fields["error"]));
    }),
  });
  const login = async (endpoint: string, more: object = {}): Promise<unknown> =>
    whoIs(
      cluster,
      await issuer.sign({
        sub: "jane",
        _claim_names: { groups: "src" },
        _claim_sources: { src: { endpoint, access_token: "shown" } },
        ...more,
      }),
    );
  const at = (name: string): string => `${source.url}/${name}`;
  const jane = (...groups: string[]) => ({
    username: "jane",
    groups: [...groups, "system:authenticated"],
  });

  deepEqual(await login(at("good")), jane("oidc:dev", "oidc:qa"));
  deepEqual(await login(at("good")), jane("oidc:dev", "oidc:qa"));
  equal(source.asked.length, 1, "an answer holds for a moment");
  nowMs += 11_000;
  await login(at("good"));
  equal(source.asked.length, 2);
  deepEqual(await login(at("good"), { groups: ["own"] }), jane("oidc:own"), "its own go before");
  deepEqual(await login(at("good"), { _claim_names: { roles: "src" } }), jane());
  deepEqual(await login("", { _claim_sources: { src: { JWT: "a.b.c" } } }), jane(), "aggregated");

  const refused = ["forged", "others", "silent", "plain"].map(at);
  refused.push(at("good").replace("https:", "http:"));
  const codes = [];
  for (const endpoint of refused) codes.push(await login(endpoint));
  const unshown = { _claim_sources: { src: { endpoint: at("good"), access_token: "guessed" } } };
  codes.push(await login("", unshown), await login("", { _claim_sources: {} }));
  deepEqual(codes, Array(7).fill(401));
  deepEqual(
    problems.map((text) =>
      text
        .replaceAll(source.url, "URL")
        .replace(/"http:.*"/, '"HTTP"')
        .replace(/ value: .*/, ""),
    ),
    [
      "signature verification failed",
      'unexpected "aud" claim',
      'jwt returned by distributed claim endpoint "URL/silent" did not contain claim: groups',
      'while getting distributed claim "groups": URL/plain answered no token',
      'distributed claims are asked for over https alone, not at "HTTP"',
      'while getting distributed claim "groups": URL/good answered 401',
      "id token _claim_names contained a source src missing in _claims_sources",
    ],
  );
});
