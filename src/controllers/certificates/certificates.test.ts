import { deepEqual, equal } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { CertificateSigningRequest, Node } from "#api/generated/types.ts";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";
import type { RequestedCertificate } from "#apiserver/node/pki/certificate-request.ts";
import { removeAtMs } from "#controllers/certificates/cleaner-controller.ts";
import {
  clientPermissions,
  servesAsItself,
  servingNode,
} from "#controllers/certificates/plan-approval.ts";
import { signRequest } from "#controllers/certificates/signing-controller.ts";

const nowMs = Date.UTC(2030, 0, 1);
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const nodeSubject = { commonName: "system:node:a", organizations: ["system:nodes"] };
const clientUsages = ["digital signature", "client auth"];
const servingUsages = ["digital signature", "server auth"];

interface Asked {
  readonly signer?: string;
  readonly wanted?: Partial<RequestedCertificate>;
  readonly usages?: readonly string[];
  readonly username?: string;
  readonly groups?: readonly string[];
  readonly status?: CertificateSigningRequest["status"];
}

function csr(asked: Asked): CertificateSigningRequest {
  const request = createCertificateRequest({ subject: nodeSubject, ...asked.wanted }, privateKey);
  return {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name: "csr-1", creationTimestamp: "2030-01-01T00:00:00Z" },
    spec: {
      request: btoa(request),
      signerName: asked.signer ?? "kubernetes.io/kube-apiserver-client-kubelet",
      usages: asked.usages ?? clientUsages,
      username: asked.username ?? "system:bootstrap:abcdef",
      groups: asked.groups ?? ["system:bootstrappers"],
    },
    ...(asked.status && { status: asked.status }),
  };
}

test("clientPermissions() recognises nodes' client certificates as upstream does", () => {
  const cases: readonly [string, Asked, readonly string[]][] = [
    ["a bootstrap token asks for a node", {}, ["nodeclient"]],
    ["a node asks for itself", { username: "system:node:a" }, ["selfnodeclient", "nodeclient"]],
    ["a node asks for another", { username: "system:node:b" }, ["nodeclient"]],
    ["with key encipherment", { usages: [...clientUsages, "key encipherment"] }, ["nodeclient"]],
    ["with too much", { usages: [...clientUsages, "server auth"] }, []],
    ["with too little", { usages: ["client auth"] }, []],
    ["another signer", { signer: "kubernetes.io/kube-apiserver-client" }, []],
    ["names", { wanted: { dnsNames: ["a"] } }, []],
    ["addresses", { wanted: { ipAddresses: ["10.0.0.1"] } }, []],
    ["no group", { wanted: { subject: { commonName: "system:node:a" } } }, []],
    [
      "more groups",
      {
        wanted: { subject: { ...nodeSubject, organizations: ["system:nodes", "system:masters"] } },
      },
      [],
    ],
    ["no node", { wanted: { subject: { ...nodeSubject, commonName: "jane" } } }, []],
    ["decided", { status: { conditions: [{ type: "Denied", status: "True" }] } }, []],
  ];
  for (const [what, asked, expected] of cases) {
    const found = clientPermissions(csr(asked)).map(({ subresource }) => subresource);
    deepEqual(found, expected, what);
  }
});

test("a node gets a serving certificate for its own addresses only", () => {
  const serving: Asked = {
    signer: "kubernetes.io/kubelet-serving",
    usages: servingUsages,
    username: "system:node:a",
    groups: ["system:nodes"],
    wanted: { ipAddresses: ["10.0.0.1"] },
  };
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "a" },
    status: {
      addresses: [
        { type: "InternalIP", address: "10.0.0.1" },
        { type: "Hostname", address: "a" },
      ],
    },
  };
  const cases: readonly [string, Asked, boolean][] = [
    ["its address", {}, true],
    ["its name and address", { wanted: { dnsNames: ["a"], ipAddresses: ["10.0.0.1"] } }, true],
    ["another address", { wanted: { ipAddresses: ["10.0.0.1", "10.0.0.2"] } }, false],
    ["another name", { wanted: { dnsNames: ["kubernetes"] } }, false],
    ["nothing", { wanted: {} }, false],
    [
      "another node's name",
      {
        wanted: {
          subject: { ...nodeSubject, commonName: "system:node:b" },
          ipAddresses: ["10.0.0.1"],
        },
      },
      false,
    ],
    ["as a client", { usages: clientUsages }, false],
  ];
  for (const [what, change, expected] of cases) {
    equal(servesAsItself(csr({ ...serving, ...change }), node), expected, what);
  }
  equal(servingNode(csr(serving)), "a");
  equal(servingNode(csr({ ...serving, username: "jane" })), undefined);
  equal(servingNode(csr({ ...serving, groups: [] })), undefined);
});

test("signRequest() signs what was approved and fits, and says why it does not sign", () => {
  const authority = createAuthority(nowMs);
  const approvedStatus = { conditions: [{ type: "Approved", status: "True" }] };
  const outcome = (asked: Asked): string => {
    const sign = (request: Parameters<typeof authority.sign>[0]) => authority.sign(request, nowMs);
    const signed = signRequest(csr({ status: approvedStatus, ...asked }), sign, nowMs);
    if (signed === undefined) return "nothing";
    const { certificate, conditions = [] } = signed.status ?? {};
    return certificate ? "signed" : (conditions.at(-1)?.message ?? "");
  };
  const apiServerClient = "kubernetes.io/kube-apiserver-client";
  const cases: readonly [Asked, string][] = [
    [{}, "signed"],
    [{ status: {} }, "nothing"],
    [{ status: { conditions: [{ type: "Failed", status: "True" }] } }, "nothing"],
    [{ signer: "example.com/other" }, "nothing"],
    [
      { usages: ["client auth"] },
      "usages did not match [client auth digital signature key encipherment]",
    ],
    [{ wanted: { dnsNames: ["a"] } }, "DNS subjectAltNames are not allowed"],
    [{ wanted: { subject: { commonName: "x" } } }, "subject organization is not system:nodes"],
    [
      { signer: "kubernetes.io/kubelet-serving", usages: servingUsages },
      "DNS or IP subjectAltName is required",
    ],
    [{ signer: apiServerClient, wanted: { subject: { commonName: "jane" } } }, "signed"],
    [
      { signer: apiServerClient, usages: servingUsages },
      "invalid usage for client certificate: server auth",
    ],
    [
      { signer: apiServerClient, usages: ["digital signature"] },
      "missing required usage for client certificate: client auth",
    ],
    [{ signer: "kubernetes.io/legacy-unknown", usages: ["code signing"] }, "signed"],
    [
      { usages: ["any", "nonsense"], signer: "kubernetes.io/legacy-unknown" },
      'unrecognized usage values: ["nonsense"]',
    ],
  ];
  for (const [asked, expected] of cases) equal(outcome(asked), expected, JSON.stringify(asked));
});

test("removeAtMs() keeps requests as long as upstream does", () => {
  const hourMs = 3_600_000;
  const dayMs = 24 * hourMs;
  const at = (type: string) => ({ type, status: "True", lastUpdateTime: "2030-01-01T01:00:00Z" });
  const short = createAuthority(nowMs).sign(
    { request: atob(csr({}).spec.request), usages: clientUsages, expirationSeconds: 3600 },
    nowMs,
  );
  const after = (status?: CertificateSigningRequest["status"]): number =>
    removeAtMs(csr(status ? { status } : {})) - nowMs;
  deepEqual(
    {
      pending: after(),
      denied: after({ conditions: [at("Denied")] }),
      failed: after({ conditions: [at("Approved"), at("Failed")] }),
      approved: after({ conditions: [at("Approved")] }),
      issued: after({ conditions: [at("Approved")], certificate: btoa("unreadable") }),
      ended: after({ conditions: [at("Approved")], certificate: btoa(short) }),
    },
    {
      pending: dayMs,
      denied: 2 * hourMs,
      failed: 2 * hourMs,
      approved: dayMs + hourMs,
      issued: 2 * hourMs,
      ended: hourMs,
    },
  );
});
