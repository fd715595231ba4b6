import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Progress } from "#cli/progress.ts";

/** What everything of an agent's process is made from. */
export interface AgentParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly progress: Progress;
  /** Aborted when the agent is to end. */
  readonly signal: AbortSignal;
}
