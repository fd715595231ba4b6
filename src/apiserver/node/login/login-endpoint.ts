import type { Clock } from "#base/clock.ts";
import { rfc3339 } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { StatusError, badRequest, unauthorized } from "#api/status.ts";
import { annotate } from "#apiserver/audit-notes.ts";
import type { Directory, Person } from "#apiserver/node/login/directory.ts";
import type { LoginTokens } from "#apiserver/node/login/login-tokens.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";

/** Takes `{"user": …, "password": …}` and answers a token; needs no login, of course. */
export const loginPath = "/login/v1";

export interface LoginEndpointParts {
  readonly directory: Directory;
  readonly tokens: LoginTokens;
  readonly usernamePrefix: string;
  readonly groupsPrefix: string;
  readonly clock: Clock;
  readonly log: Log;
}

const bodyLimitBytes = 16 * 1024;
/** Passwords are guessed one after another: so many wrong ones in a minute, and the name has to wait. */
const failuresMax = 5;
const failuresWindowMs = 60_000;
const rememberedMax = 10_000;

/** What the audit log says of a login: the name that was typed, and who that was found to be. */
const nameNote = "login.kogge.dev/name";
const userNote = "login.kogge.dev/user";
const noteMax = 256;

/** Answers requests to `loginPath`; a refusal is a `StatusError`. */
export function createLoginEndpoint(
  parts: LoginEndpointParts,
): (request: ApiRequest) => Promise<ApiResponse> {
  const failures = new Failures(parts.clock);
  return async (request) => {
    const { user, password } = await credentialsIn(request);
    annotate(request, nameNote, user.slice(0, noteMax));
    // Somebody elsewhere who guesses must not keep the right one out.
    const who = JSON.stringify([user, request.remoteAddress]);
    failures.check(who);
    const person = await ask(parts, user, password);
    if (person === undefined) {
      failures.note(who);
      parts.log.warn("login refused", { user });
      throw unauthorized();
    }
    failures.forget(who);
    const { token, expiresMs } = await parts.tokens.issue(person);
    annotate(request, userNote, person.name);
    parts.log.info("logged in", { user: person.name, groups: person.groups.length });
    return answerOf({ token, expirationTimestamp: rfc3339(expiresMs), user: person });
  };
}

async function ask(
  { directory, usernamePrefix, groupsPrefix, log }: LoginEndpointParts,
  user: string,
  password: string,
): Promise<Person | undefined> {
  try {
    const found = await directory.login(user, password);
    if (found === undefined) return undefined;
    const name = `${usernamePrefix}${found.name}`;
    const groups = found.groups.map((group) => `${groupsPrefix}${group}`);
    // A directory must not be able to make itself a part of the cluster.
    if (name.startsWith("system:")) return undefined;
    return { name, groups: groups.filter((group) => !group.startsWith("system:")) };
  } catch (error) {
    log.error("directory cannot be asked", { error });
    throw unavailable();
  }
}

async function credentialsIn(
  request: ApiRequest,
): Promise<{ readonly user: string; readonly password: string }> {
  if (request.method !== "POST") throw badRequest("a login is a POST");
  const bytes = request.body.kind === "bytes" ? await request.body.read(bodyLimitBytes) : undefined;
  const { user, password } = parsed(bytes);
  if (typeof user !== "string" || typeof password !== "string")
    throw badRequest('a login is a JSON object with the texts "user" and "password"');
  return { user, password };
}

function parsed(bytes: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(new TextDecoder().decode(bytes)) ?? {}) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

class Failures {
  readonly #clock: Clock;
  readonly #byWho = new Map<string, { count: number; untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws when a name has failed too often from one address */
  check(who: string): void {
    const known = this.#byWho.get(who);
    if (known === undefined) return;
    const leftMs = known.untilMs - this.#clock.now();
    if (leftMs <= 0) this.#byWho.delete(who);
    else if (known.count >= failuresMax) throw tooManyFailures(Math.ceil(leftMs / 1000));
  }

  note(who: string): void {
    if (this.#byWho.size >= rememberedMax) this.#byWho.clear();
    const count = (this.#byWho.get(who)?.count ?? 0) + 1;
    this.#byWho.set(who, { count, untilMs: this.#clock.now() + failuresWindowMs });
  }

  forget(who: string): void {
    this.#byWho.delete(who);
  }
}

function tooManyFailures(retryAfterSeconds: number): StatusError {
  return new StatusError({
    code: 429,
    reason: "TooManyRequests",
    message: "too many wrong passwords, please try again later",
    details: { retryAfterSeconds },
  });
}

function unavailable(): StatusError {
  return new StatusError({
    code: 503,
    reason: "ServiceUnavailable",
    message: "the directory that knows passwords cannot be asked now",
    details: {},
  });
}

function answerOf(login: {
  readonly token: string;
  readonly expirationTimestamp: string;
  readonly user: Person;
}): ApiResponse {
  const body = { apiVersion: "config.kogge.dev/v1", kind: "Login", ...login };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return {
    kind: "bytes",
    status: 200,
    headers: [
      ["content-type", "application/json"],
      ["cache-control", "no-store"],
    ],
    lengthBytes: bytes.length,
    chunks: [bytes],
  };
}
