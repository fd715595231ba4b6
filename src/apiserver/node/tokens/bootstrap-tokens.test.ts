import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Secret } from "#api/generated/types.ts";
import { createBootstrapAuthenticator } from "#apiserver/node/tokens/bootstrap-tokens.ts";

const nowMs = Date.UTC(2030, 0, 1);
const token = "abcdef.0123456789abcdef";

const good = {
  "token-id": "abcdef",
  "token-secret": "0123456789abcdef",
  expiration: "2030-01-01T00:00:01Z",
  "usage-bootstrap-authentication": "true",
  "auth-extra-groups": "system:bootstrappers:b,system:bootstrappers:a",
};

function secretWith(change: Readonly<Record<string, string | undefined>>, type?: string): Secret {
  const fields = Object.entries({ ...good, ...change });
  const data = Object.fromEntries(
    fields.flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Buffer.from(value).toString("base64")]],
    ),
  );
  const metadata = { name: "bootstrap-token-abcdef", namespace: "kube-system" };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    type: type ?? "bootstrap.kubernetes.io/token",
    data,
  };
}

test("createBootstrapAuthenticator() knows the bearer of a good token, and of no other", async () => {
  const groups = ["system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:b"];
  const user = { name: "system:bootstrap:abcdef", groups };
  const cases: readonly [string, Secret | undefined, unknown][] = [
    [token, secretWith({}), user],
    [token, secretWith({ expiration: undefined }), user],
    [
      token,
      secretWith({ "auth-extra-groups": undefined }),
      { ...user, groups: ["system:bootstrappers"] },
    ],
    [token, undefined, undefined],
    [token, secretWith({ expiration: "2030-01-01T00:00:00Z" }), undefined],
    [token, secretWith({ expiration: "tomorrow" }), undefined],
    [token, secretWith({ "usage-bootstrap-authentication": "false" }), undefined],
    [token, secretWith({ "usage-bootstrap-authentication": undefined }), undefined],
    [token, secretWith({ "auth-extra-groups": "system:masters" }), undefined],
    [token, secretWith({ "token-id": "fedcba" }), undefined],
    [token, secretWith({}, "Opaque"), undefined],
    ["abcdef.0123456789abcdee", secretWith({}), undefined],
    ["abcdef.0123456789abcdef0", secretWith({}), undefined],
    ["ABCDEF.0123456789abcdef", secretWith({}), undefined],
    ["eyJhbGciOiJub25lIn0.e30.", secretWith({}), undefined],
  ];
  for (const [shown, secret, expected] of cases) {
    const authenticate = createBootstrapAuthenticator({
      secret: async (name) => (name === "bootstrap-token-abcdef" ? secret : undefined),
      clock: { now: () => nowMs, after: () => () => {} },
    });
    deepEqual(await authenticate(shown), expected, `${shown} ${JSON.stringify(secret?.data)}`);
  }
});
