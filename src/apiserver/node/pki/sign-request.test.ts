import { deepEqual, equal, throws } from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import { pemBlocks, pemOf } from "#api/certificates/pem.ts";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";

const nowMs = Date.UTC(2030, 0, 1);
const hourMs = 3_600_000;

/** Made by OpenSSL: `openssl req -new -newkey rsa:2048 -subj /O=dev/O=ops/CN=jane -addext subjectAltName=…`. */
const rsaRequest = `-----BEGIN CERTIFICATE REQUEST-----
MIICzDCCAbQCAQAwKzEMMAoGA1UECgwDZGV2MQwwCgYDVQQKDANvcHMxDTALBgNV
BAMMBGphbmUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCmCecqsATI
cfy5rzTppjbrnxPKknyEVbVi5Qqf1OkbW5g+Erjc3IcMG3Ol3AUhnBtpMJUYUNTy
VyZfZx6PkpbZ2nWAgS3+/KH50Bt12vtXOAY4zTPXUjOS3E959evRj0TteWp9C1nz
t62q5X9eeXso+rBioZC3YUZTASFuhcI/QSZfsSIcF8jBjoyX8HaRJwgPhrshooy6
GuXD0xlLiJ1Z14Dh8Gga9OZbO99neYg03v7Z7EKfpNcNHniBwabTGwQY41r5DXeW
YRINfDFJedOVdFuDtoHgMcl5nWLjXHS8bMU1tJ/gQ+30Utl+M5y931H7aicW4CmP
j3Q4tMaktmP/AgMBAAGgXDBaBgkqhkiG9w0BCQ4xTTBLMEkGA1UdEQRCMECCCWEu
ZXhhbXBsZYcECgAAB4cQ/QAAAAAAAAAAAAAAAAAAAoENakBleGFtcGxlLm9yZ4YM
c3BpZmZlOi8veC95MA0GCSqGSIb3DQEBCwUAA4IBAQAXubMoSnnrTGkFf4/lo0zW
hYnQ9cg9dt+bEeR2rNbagkWDZ3O0chOtHqt3b4TK1yxVbCMprDyS7IqmCK1hA43t
n6hA8uWF2rsDtSP71fJFZP1cEM2so8crHeKZdXN8mDwey0Uxgcio+OjNMGR6j6qa
b2K0V+QwoI26QWQ7gQH5Jty2XopeFj+l6UC7c0gZgfAwluFhHWXJgNh/RNWvY7zg
VQGJNd1zoEs72n/N5OHik2vmXUnq4dyE8geSynsSW8tTaIHFRIlqNVRbtJVgil/p
aZwWdHO97pW7HfUqlIZqyYPI/73G4GXgOd2mCV5376awdkBxIUTbljdQ8xxsXuzG
-----END CERTIFICATE REQUEST-----
`;

const ed25519Request = `-----BEGIN CERTIFICATE REQUEST-----
MIGMMEACAQAwDTELMAkGA1UEAwwCZWQwKjAFBgMrZXADIQDK2MJnXkKJFE/z1UBJ
Oxc+UADs4rLyEAIm9AHGftBZJqAAMAUGAytlcANBAKz7WYDgKLRyNQbsNK0JK3lN
8SDTaK4M8CGVaLAj44JDMkEDapOXpzriXTFPoJ6hesYzQVpnsDFLdFnV+6JtkAw=
-----END CERTIFICATE REQUEST-----
`;

test("parseCertificateRequest() reads what OpenSSL wrote", () => {
  const { raw, ...read } = parseCertificateRequest(rsaRequest);
  deepEqual(read, {
    commonName: "jane",
    organizations: ["dev", "ops"],
    dnsNames: ["a.example"],
    ipAddresses: ["10.0.0.7", "fd00::2"],
    emailAddresses: ["j@example.org"],
    uris: ["spiffe://x/y"],
  });
  equal(raw.algorithm, "1.2.840.113549.1.1.11");
});

test("authority.sign() makes certificates of requests with RSA and Ed25519 keys, with the usages asked for", () => {
  const authority = createAuthority(nowMs);
  const issuer = new X509Certificate(authority.certificate);
  const signed = authority.sign(
    {
      request: rsaRequest,
      usages: ["client auth", "digital signature", "key encipherment"],
      expirationSeconds: 3600,
    },
    nowMs,
  );
  const certificate = new X509Certificate(signed);
  equal(certificate.verify(issuer.publicKey) && certificate.checkIssued(issuer), true);
  deepEqual(
    {
      subject: certificate.subject,
      names: certificate.subjectAltName,
      usage: certificate.keyUsage,
      from: certificate.validFromDate.getTime() - nowMs,
      to: certificate.validToDate.getTime() - nowMs,
      ca: certificate.ca,
    },
    {
      subject: "O=dev\nO=ops\nCN=jane",
      names:
        "DNS:a.example, IP Address:10.0.0.7, IP Address:FD00:0:0:0:0:0:0:2, email:j@example.org, URI:spiffe://x/y",
      usage: ["1.3.6.1.5.5.7.3.2"],
      from: -hourMs / 12,
      to: hourMs,
      ca: false,
    },
  );
  const other = new X509Certificate(
    authority.sign({ request: ed25519Request, usages: ["client auth"] }, nowMs),
  );
  equal(other.publicKey.asymmetricKeyType, "ed25519");
  equal(other.validToDate.getTime() - nowMs, 365 * 24 * hourMs - hourMs / 12);
});

test("authority.sign() never outlives the authority and never goes below ten minutes", () => {
  const authority = createAuthority(nowMs);
  const endMs = new X509Certificate(authority.certificate).validToDate.getTime();
  const until = (atMs: number, expirationSeconds?: number): number => {
    const life = expirationSeconds === undefined ? {} : { expirationSeconds };
    const asked = { request: ed25519Request, usages: ["client auth"], ...life };
    return new X509Certificate(authority.sign(asked, atMs)).validToDate.getTime();
  };
  equal(until(endMs - hourMs), endMs);
  equal(until(nowMs, 1) - nowMs, 600_000);
  throws(() => until(endMs + 1000), /the signer has expired/);
});

test("createCertificateRequest() makes what parseCertificateRequest() reads and an authority signs", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const request = createCertificateRequest(
    {
      subject: { commonName: "system:node:a", organizations: ["system:nodes"] },
      dnsNames: ["a"],
      ipAddresses: ["10.0.0.1", "fd00::1"],
    },
    privateKey,
  );
  const { raw: _raw, ...read } = parseCertificateRequest(request);
  deepEqual(read, {
    commonName: "system:node:a",
    organizations: ["system:nodes"],
    dnsNames: ["a"],
    ipAddresses: ["10.0.0.1", "fd00::1"],
    emailAddresses: [],
    uris: [],
  });
  const signed = createAuthority(nowMs).sign({ request, usages: ["server auth"] }, nowMs);
  const made = new X509Certificate(signed).publicKey.export({ type: "spki", format: "der" });
  deepEqual(made, publicKey.export({ type: "spki", format: "der" }));
});

test("a request whose signature does not fit, or that is damaged anywhere, is refused", () => {
  const authority = createAuthority(nowMs);
  const bytes = pemBlocks(ed25519Request)[0]?.bytes ?? new Uint8Array();
  const refusals = Array.from({ length: bytes.length }, (_, index) => {
    const damaged = Uint8Array.from(bytes);
    damaged[index] = (damaged[index] ?? 0) ^ 0x55;
    try {
      authority.sign(
        { request: pemOf("CERTIFICATE REQUEST", damaged), usages: ["client auth"] },
        nowMs,
      );
      return `byte ${index} does not matter`;
    } catch {
      return "refused";
    }
  });
  equal(
    new Set(refusals).size,
    1,
    refusals.find((text) => text !== "refused"),
  );
  for (const length of [0, 1, 2, 10, 50, bytes.length - 1]) {
    const request = pemOf("CERTIFICATE REQUEST", bytes.subarray(0, length));
    throws(() => parseCertificateRequest(request), { name: "DerError" });
  }
  const certificate = authority.certificate;
  throws(() => parseCertificateRequest(certificate), /PEM block type must be CERTIFICATE REQUEST/);
});
