import { deepEqual, equal } from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { issueCertificate } from "#apiserver/node/pki/certificate.ts";

const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.UTC(2055, 0, 1) };
const authoritySubject = { commonName: "test-ca" };
const authority = issueCertificate({ subject: authoritySubject, use: "authority", ...validity });
const issuer = { subject: authoritySubject, key: createPrivateKey(authority.key) };

test("issueCertificate() makes certificates that OpenSSL reads and verifies", () => {
  const server = issueCertificate(
    {
      subject: { commonName: "server" },
      use: "server",
      dnsNames: ["localhost"],
      ipAddresses: ["127.0.0.1", "fd00::2"],
      ...validity,
    },
    issuer,
  );
  const parsed = new X509Certificate(server.certificate);
  const parsedAuthority = new X509Certificate(authority.certificate);
  equal(parsedAuthority.ca, true);
  equal(parsed.ca, false);
  equal(parsed.verify(parsedAuthority.publicKey), true);
  equal(parsed.checkIssued(parsedAuthority), true);
  equal(
    parsed.subjectAltName,
    "DNS:localhost, IP Address:127.0.0.1, IP Address:FD00:0:0:0:0:0:0:2",
  );
  equal(parsed.validTo, "Jan  1 00:00:00 2055 GMT");
});

test("a client certificate's names arrive at a TLS server as user and groups", async () => {
  const serverCertificate = issueCertificate(
    { subject: { commonName: "server" }, use: "server", ipAddresses: ["127.0.0.1"], ...validity },
    issuer,
  );
  const client = issueCertificate(
    { subject: { commonName: "jane", organizations: ["dev", "ops"] }, use: "client", ...validity },
    issuer,
  );
  const server = createServer({
    key: serverCertificate.key,
    cert: serverCertificate.certificate,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = connect({
    host: "127.0.0.1",
    port,
    ca: authority.certificate,
    key: client.key,
    cert: client.certificate,
  });
  const [accepted] = (await once(server, "secureConnection")) as [TLSSocket];
  const { subject } = accepted.getPeerCertificate();
  deepEqual({ ...subject }, { CN: "jane", O: ["dev", "ops"] });
  socket.destroy();
  server.close();
});
