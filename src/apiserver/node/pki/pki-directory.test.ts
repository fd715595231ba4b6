import { deepEqual, equal, notEqual } from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openPkiDirectory } from "#apiserver/node/pki/pki-directory.ts";

const server = { subject: { commonName: "kube-apiserver" }, use: "server" } as const;

test("openPkiDirectory() keeps authority, keys and certificates over a restart", (context) => {
  const directory = temporaryDirectory(context);
  const nowMs = Date.now();
  const first = openPkiDirectory(directory, nowMs);
  const made = first.certificate("apiserver", { ...server, dnsNames: ["localhost"] });
  const second = openPkiDirectory(directory, nowMs + 1000);
  equal(second.authority.certificate, first.authority.certificate);
  equal(second.serviceAccountKey, first.serviceAccountKey);
  deepEqual(second.certificate("apiserver", { ...server, dnsNames: ["localhost"] }), made);
  deepEqual(readdirSync(directory).toSorted(), [
    "apiserver.crt",
    "apiserver.key",
    "ca.crt",
    "ca.key",
    "sa.key",
  ]);
});

test("a certificate is made anew when it lacks a name or is about to expire", (context) => {
  const directory = temporaryDirectory(context);
  const nowMs = Date.now();
  const made = openPkiDirectory(directory, nowMs).certificate("apiserver", {
    ...server,
    ipAddresses: ["127.0.0.1"],
  });
  const more = openPkiDirectory(directory, nowMs).certificate("apiserver", {
    ...server,
    ipAddresses: ["127.0.0.1", "10.0.0.1"],
  });
  notEqual(more.certificate, made.certificate);
  const nextYearMs = nowMs + 360 * 24 * 3_600_000;
  const renewed = openPkiDirectory(directory, nextYearMs).certificate("apiserver", {
    ...server,
    ipAddresses: ["10.0.0.1"],
  });
  notEqual(renewed.certificate, more.certificate);
});

function temporaryDirectory(context: { after(clean: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), "kogge-pki-"));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}
