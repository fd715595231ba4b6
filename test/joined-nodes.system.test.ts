import { equal, match, ok } from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";
import { openPkiDirectory } from "#apiserver/node/pki/pki-directory.ts";
import { openAgentFiles } from "#main/agent-process/agent-files.ts";
import { dataDirectory } from "#main/data-directory.ts";
import { createCluster } from "#main/testing.ts";
import { kubectlFor } from "#test/clients.ts";
import { eventually, startKogge } from "#test/joined-node.ts";
import { freePort, koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const skip = missing("clients");

test(
  "nodes join with a token, run pods, are drained and survive the end of the server and of themselves",
  { skip },
  async () => {
    using folder = temporaryFolder("joined");
    const at = (name: string): string => join(folder.path, name);
    const port = String(await freePort());
    const url = `https://127.0.0.1:${port}`;
    const serverWords = ["server", "--data-dir", at("server"), "--port", port];
    await using first = startKogge(serverWords);
    await first.said(/Serving at/);
    const kubectl = kubectlFor(at("server/kubeconfig"));
    const kogge = koggeFor(at("server"));
    const { token, caCertHash, joinCommand } = JSON.parse(
      await kogge("token create --json"),
    ) as Record<string, string>;
    equal(joinCommand, `kogge agent --server ${url} --token ${token} --ca-cert-hash ${caCertHash}`);
    const common = ["--server", url, "--runtime", "simulated"];
    const agentWords = (name: string): string[] => [
      "agent",
      ...common,
      "--node-name",
      name,
      "--data-dir",
      at(name),
    ];
    const joining = ["--token", token ?? "", "--ca-cert-hash", caCertHash ?? ""];
    await using a = startKogge([...agentWords("a"), ...joining]);
    await using b = startKogge([...agentWords("b"), ...joining]);
    await Promise.all([a.said(/runs for/), b.said(/runs for/)]);

    await kubectl("wait --for=condition=Ready node/a node/b --timeout=30s");
    const ranges = (await kubectl("get nodes -o jsonpath={.items[*].spec.podCIDR}")).split(" ");
    equal(new Set(ranges).size, 2);
    match(await kubectl("get csr"), /system:bootstrap:\S+ .*Approved,Issued/);
    await kubectl("create deployment web --image=web --replicas=6");
    await kubectl("rollout status deployment/web --timeout=60s");
    const podOn = async (node: string): Promise<string> => {
      const words = [
        "get",
        "pods",
        "--field-selector",
        `spec.nodeName=${node},status.phase=Running`,
      ];
      const names = await kubectl([...words, "-o", "jsonpath={.items[*].metadata.name}"]);
      return names.split(" ")[0] ?? "";
    };
    for (const node of ["a", "b"]) {
      await eventually(
        async () =>
          (await kubectl.try(["exec", await podOn(node), "--", "echo", "hello"])).stdout ===
          "hello\n",
        `exec on node ${node}`,
      );
    }

    // A node of a name that is there, and a token that is not, are refused with advice.
    const refusals: readonly [readonly string[], RegExp][] = [
      [[...agentWords("a"), ...joining, "--data-dir", at("c")], /node of this name is Ready/],
      [[...agentWords("c"), "--token", "abcdef.0123456789abcdef"], /knows no token "abcdef"/],
      [
        [...agentWords("c"), "--token", `${token?.slice(0, 7)}0123456789abcdef`],
        /secret .* is wrong/,
      ],
      [
        [...agentWords("c"), "--token", token ?? "", "--ca-cert-hash", "sha256:00"],
        /authority has the key sha256:/,
      ],
      [agentWords("c"), /--token is needed/],
    ];
    for (const [words, why] of refusals) {
      await using refused = startKogge(words);
      await refused.said(why);
    }

    await kubectl("drain a --ignore-daemonsets --timeout=60s");
    await kubectl("rollout status deployment/web --timeout=60s");
    equal(await podOn("a"), "");
    await kubectl("uncordon a");

    await first.end("SIGKILL");
    await using second = startKogge(serverWords);
    await second.said(/Serving at/);
    await kubectl("scale deployment web --replicas=12");
    await kubectl("rollout status deployment/web --timeout=90s");
    ok(await podOn("a"), "a node that lost its server takes pods of the next one");

    await a.end("SIGKILL");
    await using again = startKogge(agentWords("a"));
    await again.said(/runs for/);
    await eventually(
      async () =>
        (await kubectl.try(["exec", await podOn("a"), "--", "echo", "hello"])).stdout === "hello\n",
      "exec on the node that was killed",
    );

    equal(await b.end("SIGINT"), 0);
    await kubectl("delete node b --wait");
    await kubectl("rollout status deployment/web --timeout=90s");
    await kogge(["token", "delete", token ?? ""]);
    await using late = startKogge([...agentWords("late"), "--token", token ?? ""]);
    await late.said(/knows no token/);
  },
);

test("a node renews both its certificates before they end", { skip }, async () => {
  using folder = temporaryFolder("rotation");
  const at = (name: string): string => join(folder.path, name);
  const port = String(await freePort());
  const url = `https://127.0.0.1:${port}`;
  await using server = startKogge(["server", "--data-dir", at("server"), "--port", port]);
  await server.said(/Serving at/);
  const kubectl = kubectlFor(at("server/kubeconfig"));
  const token = (await koggeFor(at("server"))("token create")).trim();
  const words = ["agent", "--server", url, "--runtime", "simulated"];
  words.push("--node-name", "a", "--data-dir", at("a"));
  await using joining = startKogge([...words, "--token", token]);
  await joining.said(/runs for/);
  const serving = "get csr -o jsonpath={.items[*].spec.signerName}";
  await eventually(
    async () => (await kubectl(serving)).includes("kubelet-serving"),
    "the first certificates",
  );
  equal(await joining.end("SIGINT"), 0);

  // What the node holds is exchanged for certificates of which a few seconds are left.
  const pki = openPkiDirectory(at("server/pki"), Date.now());
  const files = openAgentFiles(dataDirectory(at("a")));
  const subject = { commonName: "system:node:a", organizations: ["system:nodes"] };
  const validityMs = 8_000;
  files.writePair("client", pki.authority.issue({ subject, use: "client", validityMs }));
  const ipAddresses = [await kubectl("get node a -o jsonpath={.status.addresses[0].address}")];
  const short = pki.servingAuthority().issue({ subject, use: "server", ipAddresses, validityMs });
  files.writePair("serving", short);
  const endMs = Date.now() + validityMs;
  await using again = startKogge(words);
  await again.said(/runs for/);
  await kubectl("run p --image=p");
  await kubectl("wait --for=condition=Ready pod/p --timeout=30s");
  await eventually(async () => Date.now() > endMs + 1000, "the end of the old certificates");
  equal(await kubectl(["exec", "p", "--", "echo", "hello"]), "hello\n");
  await kubectl("run q --image=q");
  await kubectl("wait --for=condition=Ready pod/q --timeout=30s");
  const requesters = await kubectl(
    "get csr -o jsonpath={.items[?(@.spec.signerName=='kubernetes.io/kube-apiserver-client-kubelet')].spec.username}",
  );
  match(requesters, /system:node:a/);
});

test("kubectl certificate approves and denies what users ask for", { skip }, async () => {
  using folder = temporaryFolder("certificate");
  await using cluster = await createCluster({ nodes: 0 });
  const kubeconfig = join(folder.path, "kubeconfig");
  cluster.writeKubeconfig(kubeconfig);
  const kubectl = kubectlFor(kubeconfig);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = { commonName: "jane", organizations: ["dev"] };
  const request = Buffer.from(createCertificateRequest({ subject }, privateKey)).toString("base64");
  const ask = (name: string, usages: readonly string[]): Promise<string> =>
    kubectl(["create", "-f", "-"], {
      input: JSON.stringify({
        apiVersion: "certificates.k8s.io/v1",
        kind: "CertificateSigningRequest",
        metadata: { name },
        spec: {
          request,
          signerName: "kubernetes.io/kube-apiserver-client",
          usages,
          expirationSeconds: 3600,
        },
      }),
    });
  const condition = (name: string): Promise<string> =>
    kubectl(["get", "csr", name, "-o", "jsonpath={.status.conditions[*].type}"]);

  await ask("jane", ["client auth"]);
  await ask("refused", ["client auth"]);
  await ask("wrong", ["server auth"]);
  match(await kubectl("get csr jane"), /admin\s+60m\s+Pending/);
  await kubectl("certificate deny refused");
  await kubectl("certificate approve wrong jane");
  await eventually(async () => (await condition("wrong")) === "Approved Failed", "the refusal");
  match(
    await kubectl("get csr wrong -o jsonpath={.status.conditions[1].message}"),
    /invalid usage for client certificate: server auth/,
  );
  equal(await condition("refused"), "Denied");
  let certificate = "";
  await eventually(async () => {
    certificate = await kubectl("get csr jane -o jsonpath={.status.certificate}");
    return certificate !== "";
  }, "the certificate");
  const pem = Buffer.from(certificate, "base64").toString();
  equal(new X509Certificate(pem).subject, "O=dev\nCN=jane");
  writeFileSync(join(folder.path, "jane.crt"), pem);
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(folder.path, "jane.key"), key);
  await kubectl([
    "config",
    "set-credentials",
    "jane",
    `--client-certificate=${join(folder.path, "jane.crt")}`,
    `--client-key=${join(folder.path, "jane.key")}`,
  ]);
  match(
    await kubectl("--user=jane auth whoami"),
    /Username +jane\nGroups +\[dev system:authenticated\]/,
  );
});
