import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { createAuditor } from "#apiserver/audit/auditor.ts";
import type { AuditEvent } from "#apiserver/audit/event.ts";
import { createLoginEndpoint, loginPath } from "#apiserver/node/login/login-endpoint.ts";
import { anonymous } from "#apiserver/request.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createTestServer } from "#test/api-server.ts";

test("every login is in the audit log with the name and the outcome, never with the password or the token", async () => {
  const events: AuditEvent[] = [];
  const answer = createLoginEndpoint({
    directory: {
      login: (user, password) => {
        if (user === "offline") return Promise.reject(new Error("the directory is gone"));
        return Promise.resolve(password === "swordfish" ? { name: user, groups: [] } : undefined);
      },
    },
    tokens: {
      issue: () => Promise.resolve({ token: "issued-token", expiresMs: 0 }),
      authenticate: () => Promise.resolve(undefined),
    },
    usernamePrefix: "ldap:",
    groupsPrefix: "",
    clock: systemClock,
    log: silentLog,
  });
  await using server = await createTestServer({
    login: { path: loginPath, answer },
    audit: createAuditor({
      policy: { omitStages: ["RequestReceived"], rules: [{ level: "RequestResponse" }] },
      backends: [{ record: (event) => void events.push(event) }],
      clock: systemClock,
    }),
  });
  events.length = 0;
  const login = async (user: string, password: string): Promise<number> =>
    (await server.send("POST", loginPath, { body: { user, password }, user: anonymous })).status;
  const seen = [
    await login("jane", "swordfish"),
    ...(await Promise.all(Array.from({ length: 5 }, () => login("joe", "hunter2")))),
    await login("joe", "hunter2"),
    await login("offline", "hunter2"),
    await login("x".repeat(300), "hunter2"),
    (await server.send("GET", loginPath, { user: anonymous })).status,
  ];
  deepEqual(
    events.map(({ user, verb, requestURI, responseStatus, annotations = {} }) => [
      `${user.username} ${verb} ${requestURI} ${responseStatus?.code}`,
      annotations["login.kogge.dev/name"],
      annotations["login.kogge.dev/user"],
    ]),
    [
      ["system:anonymous post /login/v1 200", "jane", "ldap:jane"],
      ...Array(5).fill(["system:anonymous post /login/v1 401", "joe", undefined]),
      ["system:anonymous post /login/v1 429", "joe", undefined],
      ["system:anonymous post /login/v1 503", "offline", undefined],
      ["system:anonymous post /login/v1 401", "x".repeat(256), undefined],
      ["system:anonymous get /login/v1 400", undefined, undefined],
    ],
  );
  deepEqual(seen, [200, 401, 401, 401, 401, 401, 429, 503, 401, 400]);
  equal(/swordfish|hunter2|issued-token/.test(JSON.stringify(events)), false);
});
