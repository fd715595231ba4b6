import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import { silentLog } from "#base/log.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { isUsable, keepCertificate, renewAtMs } from "#main/agent-process/rotating-certificate.ts";

const startMs = Date.UTC(2030, 0, 1);
const hourMs = 3_600_000;

function certificateAt(nowMs: number): KeyAndCertificate {
  const subject = { commonName: "system:node:a" };
  const validityMs = 10 * hourMs;
  return createAuthority(nowMs).issue({ subject, use: "client", validityMs });
}

test("renewAtMs() lies between seven and nine tenths of a certificate's life", () => {
  const { certificate } = certificateAt(startMs);
  const at = (random: number): number => (renewAtMs(certificate, () => random) - startMs) / hourMs;
  ok(at(0) > 6.9 && at(0) < 7.1, String(at(0)));
  ok(at(1) > 8.9 && at(1) < 9.1, String(at(1)));
});

test("isUsable() wants a certificate that can be read and has not ended", () => {
  const pair = certificateAt(startMs);
  deepEqual(
    [
      isUsable(pair, startMs),
      isUsable(pair, startMs + 11 * hourMs),
      isUsable({ ...pair, certificate: "damaged" }, startMs),
    ],
    [true, false, false],
  );
});

test("keepCertificate() renews before the end, again and again, and tries anew after a failure", async () => {
  const clock = createManualClock(startMs);
  const stop = new AbortController();
  const renewedAt: number[] = [];
  const used: KeyAndCertificate[] = [];
  let failures = 2;
  const kept = keepCertificate({
    held: certificateAt(startMs),
    renew: async () => {
      renewedAt.push((clock.now() - startMs) / hourMs);
      if (failures > 0) {
        failures -= 1;
        throw new Error("the server is away");
      }
      return certificateAt(clock.now());
    },
    use: (pair) => void used.push(pair),
    clock,
    random: () => 0.5,
    log: silentLog,
    signal: stop.signal,
  });
  for (let hour = 0; hour < 20; hour += 0.25) {
    clock.advance(hourMs / 4);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }
  stop.abort(new Error("the test ends"));
  await kept;
  equal(used.length, 2);
  ok(renewedAt.every((at, index) => index < 3 || at - (renewedAt[index - 1] ?? 0) > 7));
  ok(used.every((pair, index) => isUsable(pair, startMs + (index + 1) * 8 * hourMs)));
});
