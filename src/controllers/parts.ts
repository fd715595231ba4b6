import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { Informers } from "#client/informers.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

/** What every controller is made from. */
export interface ControllerKit {
  /** Its writes return when the informers show them. */
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** A recorder whose events say that they come from `component`. */
  recorder(component: string): EventRecorder;
}
