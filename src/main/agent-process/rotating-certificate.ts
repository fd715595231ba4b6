import { X509Certificate } from "node:crypto";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import type { Clock } from "#base/clock.ts";
import { sleep } from "#base/clock.ts";
import { messageOf, type Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";

export interface RotationParts {
  /** What is held now; undefined: one is to be got at once. */
  readonly held: KeyAndCertificate | undefined;
  readonly renew: () => Promise<KeyAndCertificate>;
  readonly use: (pair: KeyAndCertificate) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const retryMinMs = 2_000;
const retryMaxMs = 10 * 60_000;

/** Gets another certificate before the one that is held ends, for ever. Ends with the signal. */
export async function keepCertificate(parts: RotationParts): Promise<void> {
  const { clock, random, log, signal } = parts;
  let { held } = parts;
  let retryMs = retryMinMs;
  while (!signal.aborted) {
    try {
      const dueMs = held === undefined ? 0 : renewAtMs(held.certificate, random) - clock.now();
      if (dueMs > 0) await sleepLong(clock, dueMs, signal);
      held = await parts.renew();
      parts.use(held);
      log.info("certificate renewed", { until: new X509Certificate(held.certificate).validTo });
      retryMs = retryMinMs;
    } catch (error) {
      if (signal.aborted) return;
      log.warn("certificate not renewed", { reason: messageOf(error), retryMs });
      await sleep(clock, retryMs, signal).catch(() => {});
      retryMs = Math.min(retryMs * 2, retryMaxMs);
    }
  }
}

/** Between seven and nine tenths of its life, as the kubelet: nodes that joined together do not ask together. */
export function renewAtMs(certificate: string, random: Random): number {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  const from = validFromDate.getTime();
  const life = validToDate.getTime() - from;
  return from + life * (0.7 + 0.2 * random());
}

/** Whether the pair can be used: its parts belong together and it has not ended. */
export function isUsable(pair: KeyAndCertificate, nowMs: number): boolean {
  try {
    return new X509Certificate(pair.certificate).validToDate.getTime() > nowMs;
  } catch {
    return false;
  }
}

const dayMs = 24 * 3_600_000;

/** Timers end after 24 days at most. */
async function sleepLong(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  for (let left = delayMs; left > 0; left -= dayMs) {
    await sleep(clock, Math.min(left, dayMs), signal);
  }
}
