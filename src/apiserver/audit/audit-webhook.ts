import { sleep, type Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { AuditBackend, AuditEvent } from "#apiserver/audit/event.ts";

export interface AuditWebhookOptions {
  /** Posts an `EventList`; resolves to the answer's status and rejects when there is none. */
  readonly post: (body: Uint8Array, signal: AbortSignal) => Promise<number>;
  readonly batch: WebhookBatch;
  /** How long to wait before a batch that was not taken is sent again; grows by half each time. */
  readonly initialBackoffMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told how many events were lost: the other side takes none, or not fast enough. */
  readonly onLost: (count: number) => void;
}

/** Upstream's `--audit-webhook-batch-*`. */
export interface WebhookBatch {
  /** How many events wait at most; what comes then is lost, so that no request ever waits. */
  readonly bufferSize: number;
  readonly maxSize: number;
  /** How long the first of a batch waits for more. */
  readonly maxWaitMs: number;
  /** How many batches a second, and how many at once after a pause; 0: any number. */
  readonly throttleQps: number;
  readonly throttleBurst: number;
}

export const webhookBatchDefault: WebhookBatch = {
  bufferSize: 10_000,
  maxSize: 400,
  maxWaitMs: 30_000,
  throttleQps: 10,
  throttleBurst: 15,
};

/** Sends events in batches to a service outside. */
export function createAuditWebhook(options: AuditWebhookOptions): AuditBackend & AsyncDisposable {
  return new AuditWebhook(options);
}

class AuditWebhook implements AuditBackend, AsyncDisposable {
  readonly #options: AuditWebhookOptions;
  readonly #stop = new AbortController();
  /** Aborted when the end takes too long: a batch on its way is not cut off before, or it would be sent twice. */
  readonly #cut = new AbortController();
  #waiting: AuditEvent[] = [];
  #sending: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #tokens: number;
  #tokensAtMs: number;
  #isFailing = false;

  constructor(options: AuditWebhookOptions) {
    this.#options = options;
    this.#tokens = options.batch.throttleBurst;
    this.#tokensAtMs = options.clock.now();
  }

  record(event: AuditEvent): void {
    const { batch, clock, onLost } = this.#options;
    if (this.#waiting.length >= batch.bufferSize || this.#stop.signal.aborted) return onLost(1);
    this.#waiting.push(event);
    if (this.#sending !== undefined) return;
    if (this.#waiting.length >= batch.maxSize) this.#start();
    else this.#cancelTimer ??= clock.after(batch.maxWaitMs, () => this.#start());
  }

  /** What waits is sent once more, without waiting for a better moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the server stops"));
    this.#cancelTimer?.();
    const cancel = this.#options.clock.after(farewellMs, () => this.#cut.abort());
    await this.#sending;
    while (this.#waiting.length > 0 && !this.#cut.signal.aborted) {
      const events = this.#nextBatch();
      this.#settle(events, await this.#sendOnce(events));
    }
    cancel();
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#sending = this.#sendWhatIsFull().finally(() => {
      this.#sending = undefined;
      this.#goOn();
    });
  }

  /** Events that came while others were sent have waited for their part. */
  #goOn(): void {
    const { batch, clock } = this.#options;
    if (this.#stop.signal.aborted || this.#waiting.length === 0) return;
    this.#cancelTimer ??= clock.after(batch.maxWaitMs, () => this.#start());
  }

  async #sendWhatIsFull(): Promise<void> {
    do {
      await this.#throttle();
      if (this.#stop.signal.aborted) return;
      await this.#send(this.#nextBatch());
    } while (this.#waiting.length >= this.#options.batch.maxSize);
  }

  #nextBatch(): readonly AuditEvent[] {
    return this.#waiting.splice(0, this.#options.batch.maxSize);
  }

  async #send(events: readonly AuditEvent[]): Promise<void> {
    const { clock, initialBackoffMs } = this.#options;
    const { signal } = this.#stop;
    let delayMs = initialBackoffMs;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#sendOnce(events);
      if (outcome !== "again" || attempt === attemptsMax) return this.#settle(events, outcome);
      await sleep(clock, delayMs, signal).catch(() => {});
      if (signal.aborted) {
        this.#waiting.unshift(...events);
        return;
      }
      delayMs *= backoffFactor;
    }
  }

  async #sendOnce(events: readonly AuditEvent[]): Promise<"taken" | "again" | "refused"> {
    const list = { kind: "EventList", apiVersion: "audit.k8s.io/v1", metadata: {}, items: events };
    try {
      const status = await this.#options.post(
        encoder.encode(JSON.stringify(list)),
        this.#cut.signal,
      );
      if (status >= 200 && status < 300) return "taken";
      this.#complain(new Error(`the webhook answers ${status}`));
      return status === 429 || status >= 500 ? "again" : "refused";
    } catch (error) {
      this.#complain(error);
      return "again";
    }
  }

  #settle(events: readonly AuditEvent[], outcome: "taken" | "again" | "refused"): void {
    if (outcome === "taken") this.#isFailing = false;
    else this.#options.onLost(events.length);
  }

  #complain(error: unknown): void {
    if (!this.#isFailing) this.#options.log.warn("audit events were not taken", { error });
    this.#isFailing = true;
  }

  /** A bucket of tokens, one a batch. */
  async #throttle(): Promise<void> {
    const { batch, clock } = this.#options;
    if (batch.throttleQps === 0) return;
    const nowMs = clock.now();
    // A clock that is put back takes nothing away.
    const earned = (Math.max(0, nowMs - this.#tokensAtMs) / 1_000) * batch.throttleQps;
    this.#tokens = Math.min(batch.throttleBurst, this.#tokens + earned) - 1;
    this.#tokensAtMs = nowMs;
    if (this.#tokens >= 0) return;
    const delayMs = (-this.#tokens / batch.throttleQps) * 1_000;
    await sleep(clock, delayMs, this.#stop.signal).catch(() => {});
  }
}

const encoder = new TextEncoder();
/** As upstream: five times, each time half as long again. */
const attemptsMax = 5;
const backoffFactor = 1.5;
const farewellMs = 5_000;
