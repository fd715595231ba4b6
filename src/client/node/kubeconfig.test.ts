import { deepEqual, rejects } from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";

const config = `
current-context: main
contexts: [{ name: main, context: { cluster: here, user: me } }]
clusters:
  - name: here
    cluster: { server: "https://localhost:6443", certificate-authority-data: ${btoa("CA")} }
users:
  - name: me
    user: { client-certificate: cert.pem, client-key-data: ${btoa("KEY")} }
`;

test("loadKubeconfig() reads the current context, its data and the files it names", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "kubeconfig-"));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, "config");
  await writeFile(file, config);
  await writeFile(join(directory, "cert.pem"), "CERT");
  deepEqual(await loadKubeconfig(file), {
    server: "https://localhost:6443",
    ca: "CA",
    clientCert: "CERT",
    clientKey: "KEY",
  });
  await writeFile(file, config.replace("user: me", "user: other"));
  await rejects(loadKubeconfig(file), /no user "other"/);
});
