import { deepEqual, equal, match } from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { messageOf } from "#base/log.ts";
import { stringify } from "yaml";
import { systemClock } from "#base/clock.ts";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, run } from "#test/clients.ts";
import { koggeBinary } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { startSlapd } from "#test/slapd.ts";
import { temporaryFolder } from "#test/temporary.ts";

test(
  "people of an LDAP directory log in",
  { skip: missing("slapd", "clients") },
  async (context) => {
    using folder = temporaryFolder("ldap");
    await using slapd = await startSlapd();
    const at = (name: string): string => join(folder.path, name);
    writeFileSync(at("ldap.crt"), slapd.authority);
    writeFileSync(at("bind-password"), "secret\n");
    const ldap = {
      url: slapd.ldaps,
      certificateAuthorityFile: "ldap.crt",
      bindDN: "cn=admin,dc=example,dc=com",
      bindPasswordFile: "bind-password",
      userSearch: {
        baseDN: "ou=people,dc=example,dc=com",
        filter: "(uid={user})",
        nameAttribute: "uid",
      },
      groupSearch: {
        baseDN: "ou=groups,dc=example,dc=com",
        filter: "(member={dn})",
        nameAttribute: "cn",
      },
    };
    const head = { apiVersion: "config.kogge.dev/v1", kind: "LoginConfiguration" };
    const clusterWith = (change: object, clock?: { now(): number }) => {
      writeFileSync(at("login.yaml"), stringify({ ...head, ldap: { ...ldap, ...change } }));
      return createCluster({
        nodes: 0,
        flags: { loginConfig: at("login.yaml") },
        ...(clock && { clock: { ...systemClock, ...clock } }),
      });
    };
    const logIn = async (cluster: { kubeconfig: string }, user: string, password: string) => {
      const answer = await send(
        { ...accessOf(cluster.kubeconfig), cert: "", key: "" },
        { method: "POST", path: "/login/v1", body: JSON.stringify({ user, password }) },
      );
      return answer.status === 200 ? answer.object["user"] : answer.status;
    };

    await context.test("kogge login gives kubectl a token whose groups have roles", async () => {
      await using cluster = await clusterWith({ groupsPrefix: "ldap:" });
      cluster.writeKubeconfig(at("admin"));
      const admin = kubectlFor(at("admin"), "36");
      await admin("create clusterrolebinding devs --clusterrole=view --group=ldap:dev");
      writeFileSync(at("ca.crt"), accessOf(cluster.kubeconfig).ca);
      const server = ["--server", cluster.server, "--certificate-authority", at("ca.crt")];
      const who = ["--user", "jane", "--password-stdin", "--kubeconfig", at("jane")];
      const words = ["login", ...server, ...who];
      const wrong = await run(koggeBinary, words, { input: "guess\n" });
      deepEqual(
        [wrong.code, wrong.stderr.trim(), existsSync(at("jane"))],
        [1, 'kogge: Cannot log in as "jane": the name or the password is wrong', false],
      );
      const right = await run(koggeBinary, words, { input: "correct horse\n" });
      match(right.stdout, /^Logged in as jane \(ldap:dev, ldap:qa\) until \d{4}-.*Z; kept in /);
      const jane = kubectlFor(at("jane"), "36");
      match(
        await jane("auth whoami"),
        /Username +jane\nGroups +\[ldap:dev ldap:qa system:authenticated\]/,
      );
      match(await jane("get configmaps -n kube-system"), /extension-apiserver-authentication/);
      match((await jane.try(["get", "secrets"])).stderr, /^Error from server \(Forbidden\)/);
      equal(readFileSync(at("jane"), "utf8").includes("correct horse"), false);

      const again = ["login", "--user", "joe", "--password-stdin", "--kubeconfig", at("jane")];
      const plugin = await run(koggeBinary, [...again, "--exec-credential"], {
        input: "battery staple",
      });
      const { kind, status } = JSON.parse(plugin.stdout) as {
        kind: string;
        status: { token: string };
      };
      equal(kind, "ExecCredential");
      equal(status.token.split(".").length, 3);
    });

    await context.test(
      "nobody gets in with what is no password, or as a part of the cluster",
      async () => {
        await using cluster = await clusterWith({ url: slapd.ldap, startTLS: true });
        const jane = { name: "jane", groups: ["dev", "qa"] };
        const attempts: readonly (readonly [user: string, password: string, outcome: unknown])[] = [
          ["jane", "correct horse", jane],
          ["jane", "", 401],
          ["", "", 401],
          ["jan*", "correct horse", 401],
          ["jane)(uid=*", "correct horse", 401],
          ["o(dd)*", "staple", { name: "o(dd)*", groups: [] }],
          ["system:admin", "x", 401],
          // The directory says that joe is in system:masters; a cluster gives such groups itself.
          ["joe", "battery staple", { name: "joe", groups: ["qa"] }],
        ];
        for (const [user, password, outcome] of attempts)
          deepEqual(await logIn(cluster, user, password), outcome, `${user} ${password}`);
        const answers = await Promise.all(
          Array.from({ length: 5 }, () => logIn(cluster, "ann", "guess")),
        );
        deepEqual(answers, Array(5).fill(401));
        equal(await logIn(cluster, "ann", "guess"), 429);
        deepEqual(await logIn(cluster, "jane", "correct horse"), jane);
      },
    );

    await context.test(
      "a directory that does not answer, or is not who it says, is no way in",
      async () => {
        await using wrongAuthority = await clusterWith({ certificateAuthorityFile: undefined });
        equal(await logIn(wrongAuthority, "jane", "correct horse"), 503);
        await using gone = await clusterWith({ url: "ldaps://localhost:9" });
        equal(await logIn(gone, "jane", "correct horse"), 503);
      },
    );

    await context.test("a token ends", async () => {
      let laterMs = 0;
      await using cluster = await clusterWith({}, { now: () => Date.now() + laterMs });
      const { port, ca } = accessOf(cluster.kubeconfig);
      const stranger = { port, ca, cert: "", key: "" };
      const body = JSON.stringify({ user: "jane", password: "correct horse" });
      const { object } = await send(stranger, { method: "POST", path: "/login/v1", body });
      const headers = { authorization: `Bearer ${String(object["token"])}` };
      const status = async (): Promise<number> =>
        (await send(stranger, { path: "/version", headers })).status;
      equal(await status(), 200);
      laterMs = 9 * 3_600_000;
      equal(await status(), 401);
    });

    await context.test("a configuration that would leak passwords is refused", async () => {
      const message = await clusterWith({ url: "ldap://localhost", userSearch: {} }).then(
        () => "",
        (error: Error) => messageOf(error),
      );
      for (const part of [
        'ldap.url: Invalid value: "ldap://localhost": passwords would travel in the clear',
        "ldap.userSearch.baseDN: Required value",
        "ldap.userSearch.filter: Required value",
      ]) {
        equal(message.includes(part), true, `${part}\n  is not in\n${message}`);
      }
    });
  },
);
