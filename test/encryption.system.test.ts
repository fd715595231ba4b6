import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { freePort, koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

test(
  "Secrets are encrypted from the first start; the key is rotated while the server runs, and when it does not",
  { skip: missing("linux", "clients"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("encryption");
    const dataDir = join(folder.path, "data");
    const keyFile = join(dataDir, "pki/encryption.json");
    const words = ["--runtime", "simulated", "--port", String(await freePort())];
    await using kogge = koggeFor(dataDir);
    const { kubeconfig } = await kogge.up(words);
    const kubectl = kubectlFor(kubeconfig);
    await kubectl("create secret generic db --from-literal=password=swordfish");
    equal(statSync(keyFile).mode & 0o777, 0o600);
    const password = () => kubectl("get secret db -o jsonpath={.data.password}");
    const names = (): string[] => readFileSync(keyFile, "utf8").match(/key\d+/g) ?? [];

    match(await kogge("secrets rotate-key"), /^Encrypted \d+ objects with "key2"; removed "key1"/);
    deepEqual([names(), await password()], [["key2"], btoa("swordfish")]);
    await kogge("down");
    match(await kogge("secrets rotate-key"), /with "key3"; removed "key2"/);
    await kogge.up(words);
    deepEqual([names(), await password()], [["key3"], btoa("swordfish")]);
    await kogge("down");

    const file = readFileSync(join(dataDir, "store/data.mdb"));
    equal(file.includes(btoa("swordfish")), false);
    ok(file.includes("k8s:enc:aesgcm:v1:key3:"));
    writeFileSync(keyFile, readFileSync(keyFile, "utf8").replace("key3", "other"));
    const refused = await kogge.try(["up", "--detach", ...words]);
    match(
      refused.stderr,
      /Cannot read "\/registry\/core\/secrets\/default\/db": it was encrypted by k8s:enc:aesgcm:v1:key3, which is not in the encryption configuration/,
    );
  },
);
