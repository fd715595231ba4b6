import type { JsonObject } from "#api/kind.ts";
import { forbidden, type StatusError } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";

/** One write on its way in. */
export interface Attempt {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  /**
   * What is to be stored, or what a subresource takes (an `Eviction`, the options of a connection). The first phase
   * may change it in place. Undefined for a deletion.
   */
  readonly object: JsonObject | undefined;
  /** What is stored now, frozen. Undefined for a creation and a connection. */
  readonly old: JsonObject | undefined;
  /** The options of a deletion as a `DeleteOptions`; those of other writes stand in the query of the request. */
  readonly options?: JsonObject;
}

/** Changes the object where its phase lets it, or refuses by throwing a `StatusError`. */
export type AdmissionFunction = (call: Call, attempt: Attempt) => void | Promise<void>;

/** The steps that every write passes, each phase in order. */
export interface AdmissionChain {
  /** Before the object is validated: these may change it. */
  readonly mutating: readonly AdmissionFunction[];
  /** On what is about to be stored: these may only refuse. */
  readonly validating: readonly AdmissionFunction[];
}

/** The first phase. Runs a second time when a step has asked for that. */
export async function admit(call: Call, attempt: Attempt): Promise<void> {
  const { mutating } = call.server.admission;
  await pass(mutating, call, attempt, "admit");
  const rounds = roundsOf.get(attempt);
  if (rounds === undefined || !rounds.again) return;
  rounds.isSecond = true;
  await pass(mutating, call, attempt, "admit");
}

/** The second phase. The object is valid and complete; it is handed to the store next. */
export async function assertAdmitted(call: Call, attempt: Attempt): Promise<void> {
  await pass(call.server.admission.validating, call, attempt, "validate");
}

/** Both phases for what is not validated in between. */
export async function admitWhole(call: Call, attempt: Attempt): Promise<void> {
  await admit(call, attempt);
  await assertAdmitted(call, attempt);
}

async function pass(
  steps: readonly AdmissionFunction[],
  call: Call,
  attempt: Attempt,
  type: "admit" | "validate",
): Promise<void> {
  const { clock, metrics } = call.server;
  const startMs = clock.now();
  let rejected = "true";
  try {
    for (const step of steps) {
      const passing = step(call, attempt);
      if (passing !== undefined) await passing;
    }
    rejected = "false";
  } finally {
    const labels = { type, operation: attempt.operation, rejected };
    metrics.admission.observe(labels, (clock.now() - startMs) / 1_000);
  }
}

/** How often a write has gone through the first phase, and what its steps remember between the rounds. */
export interface Rounds {
  isSecond: boolean;
  /** Set by a step that changed the object, so that those before it see the change. */
  again: boolean;
  /** What a step keeps for its second turn, by a key of its own. */
  readonly notes: Map<symbol, unknown>;
}

/** Only for steps that may ask for a second round: the others cost nothing. */
export function roundsFor(attempt: Attempt): Rounds {
  let rounds = roundsOf.get(attempt);
  if (rounds === undefined) {
    rounds = { isSecond: false, again: false, notes: new Map() };
    roundsOf.set(attempt, rounds);
  }
  return rounds;
}

const roundsOf = new WeakMap<Attempt, Rounds>();

/** Why an admission step does not let a write pass. A name that is to be generated is told by its beginning. */
export function notAdmitted(call: Call, attempt: Attempt, why: string): StatusError {
  const metadata = objectAt(attempt.object, "metadata");
  const known = call.info.name || stringAt(metadata, "name") || stringAt(metadata, "generateName");
  return forbidden(call.kind, known || "Unknown", why);
}

/** Whether the write is to this resource itself, not to a subresource of it. */
export function isFor(call: Call, group: string, resource: string): boolean {
  return (
    call.kind.group === group && call.kind.resource === resource && call.subresource === undefined
  );
}
