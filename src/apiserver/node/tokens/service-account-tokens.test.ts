import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import {
  createTokenSigner,
  createTokenVerifier,
} from "#apiserver/node/tokens/service-account-tokens.ts";

const issuer = "https://kubernetes.default.svc.cluster.local";

test("a token names its account until it expires or what it is bound to is gone", async () => {
  const { serviceAccountKey: key } = createMemoryPki(Date.now());
  let nowMs = Date.now();
  const clock = { now: () => nowMs, after: () => () => {} };
  const uids = new Map([
    ["ServiceAccount/dev/robot", "u1"],
    ["Pod/dev/web", "u2"],
  ]);
  const { authenticate: verify } = createTokenVerifier({
    key,
    issuer,
    clock,
    uidOf: async (kind, namespace, name) => uids.get(`${kind}/${namespace}/${name}`),
  });
  const signer = createTokenSigner({ key, issuer, clock });
  const request = {
    namespace: "dev",
    serviceAccount: { name: "robot", uid: "u1" },
    audiences: [],
    expirationSeconds: 600,
    boundTo: { kind: "Pod", name: "web", uid: "u2" },
  } as const;
  const { token, expiresAtMs } = await signer.issue(request);
  equal(expiresAtMs, Math.floor(nowMs / 1000) * 1000 + 600_000);
  const user = await verify(token);
  deepEqual(
    [user?.name, user?.uid, user?.groups],
    [
      "system:serviceaccount:dev:robot",
      "u1",
      ["system:serviceaccounts", "system:serviceaccounts:dev"],
    ],
  );
  deepEqual(user?.extra?.["authentication.kubernetes.io/pod-name"], ["web"]);
  uids.set("Pod/dev/web", "u3");
  equal(await verify(token), undefined);
  uids.set("Pod/dev/web", "u2");
  nowMs += 601_000;
  equal(await verify(token), undefined);
});

test("foreign, damaged and other audiences' tokens are nobody's", async () => {
  const { serviceAccountKey: key } = createMemoryPki(Date.now());
  const clock = { now: () => Date.now(), after: () => () => {} };
  const { authenticate: verify } = createTokenVerifier({
    key,
    issuer,
    clock,
    uidOf: async () => "u1",
  });
  const request = {
    namespace: "dev",
    serviceAccount: { name: "robot", uid: "u1" },
    audiences: [],
    expirationSeconds: 600,
  };
  const own = await createTokenSigner({ key, issuer, clock }).issue(request);
  const vault = await createTokenSigner({ key, issuer, clock }).issue({
    ...request,
    audiences: ["vault"],
  });
  const foreign = await createTokenSigner({
    key: createMemoryPki(Date.now()).serviceAccountKey,
    issuer,
    clock,
  }).issue(request);
  const tokens = [
    own.token,
    vault.token,
    foreign.token,
    `${own.token.slice(0, -4)}AAAA`,
    "x",
    "a.b.c",
  ];
  const users = await Promise.all(tokens.map(async (token) => (await verify(token))?.name));
  deepEqual(users, [
    "system:serviceaccount:dev:robot",
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
