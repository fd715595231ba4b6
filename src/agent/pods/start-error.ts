/** A container that could not be started; `reason` and `message` are what its status shows while it waits. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly reason: string;
  /** How long until it is tried again. */
  readonly retryMs: number;

  constructor(reason: string, message: string, retryMs: number) {
    super(message);
    this.reason = reason;
    this.retryMs = retryMs;
  }
}

/** Upstream tries again with its next look at the pod, about this much later. */
export const usualRetryMs = 10_000;
