import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { AuditEvent } from "#apiserver/audit/event.ts";
import { openAuditLog, type AuditLogOptions } from "#apiserver/node/audit/audit-log.ts";

const options: Omit<AuditLogOptions, "path"> = {
  format: "json",
  maxBytes: 1_000,
  maxBackups: 2,
  maxAgeMs: 0,
  clock: systemClock,
  log: silentLog,
  onLost: () => {},
};

test("openAuditLog() appends lines, rotates when the file is full, and keeps so many", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kogge-audit-"));
  const path = join(folder, "logs/audit.log");
  let nowMs = Date.UTC(2026, 0, 1);
  const clock = { ...systemClock, now: () => nowMs };
  try {
    for (let round = 0; round < 5; round += 1) {
      await using log = await openAuditLog({ ...options, path, clock });
      for (let at = 0; at < 9; at += 1) log.record(eventOf(`${round}-${at}`));
      nowMs += 1_000;
    }
    const files = readdirSync(join(folder, "logs")).toSorted();
    assert.deepEqual(files, [
      "audit-2026-01-01T00-00-04.000.log",
      "audit-2026-01-01T00-00-05.000.log",
      "audit.log",
    ]);
    const ids = files.map((file) =>
      readFileSync(join(folder, "logs", file), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as AuditEvent).auditID)
        .at(-1),
    );
    assert.deepEqual(ids, ["2-8", "3-8", "4-8"]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("openAuditLog() says why it cannot, and counts what a full disk loses", async () => {
  const away = openAuditLog({ ...options, path: "/etc/passwd/audit.log" });
  await assert.rejects(away, { message: "Cannot write the audit log /etc/passwd/audit.log" });
  let lost = 0;
  const onLost = (count: number): void => void (lost += count);
  const full = await openAuditLog({ ...options, path: "/dev/full", onLost });
  full.record(eventOf("a"));
  full.record(eventOf("b"));
  await full[Symbol.asyncDispose]();
  assert.equal(lost, 2);
});

function eventOf(auditID: string): AuditEvent {
  return { kind: "Event", auditID, userAgent: "x".repeat(60) } as AuditEvent;
}
