import type { Clock } from "#base/clock.ts";
import type { Status } from "#api/generated/types.ts";
import { annotationsOf } from "#apiserver/audit-notes.ts";
import { keepBodyOf, type BodyMetadata, type BodyNotes } from "#apiserver/body-notes.ts";
import { recordResponse, requestBodyOf } from "#apiserver/audit/bodies.ts";
import {
  auditUser,
  objectRefOf,
  requestUriOf,
  sourceIpsOf,
  statusOfRefusal,
  timestamp,
  userAgentOf,
  type AuditBackend,
  type AuditEvent,
  type AuditStatus,
} from "#apiserver/audit/event.ts";
import {
  createPolicyEvaluator,
  type AuditConfig,
  type AuditLevel,
  type AuditPolicy,
  type AuditStage,
} from "#apiserver/audit/policy.ts";
import {
  allowedLevel,
  quotesBody,
  redacted,
  withoutManagedFields,
} from "#apiserver/audit/redact.ts";
import type { Decision } from "#apiserver/authorizer.ts";
import { isLongRunning } from "#apiserver/in-flight.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "#apiserver/request.ts";

/** Records requests as a policy says. */
export interface Auditor {
  /** Undefined: the policy wants nothing of this request. */
  begin(asked: AskedRequest): AuditTrail | undefined;
}

export interface AskedRequest {
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly auditId: string;
  readonly receivedMs: number;
}

/** One request on its way. */
export interface AuditTrail {
  carriedOutAs(user: UserInfo): void;
  decided(decision: Decision): void;
  /** Hands the answer on. `refusal` is what was refused, if it was. */
  answered(response: ApiResponse, refusal?: Status): ApiResponse;
  /** What was opened is over. */
  ended(): void;
}

export interface AuditorParts {
  readonly policy: AuditPolicy;
  readonly backends: readonly AuditBackend[];
  readonly clock: Clock;
}

export function createAuditor({ policy, backends, clock }: AuditorParts): Auditor {
  const evaluate = createPolicyEvaluator(policy);
  const record = (event: AuditEvent): void => {
    for (const backend of backends) backend.record(event);
  };
  return {
    begin: (asked) => {
      const config = evaluate(asked.request.user, asked.info);
      if (config.level !== "None") return new Trail(asked, { config, record, clock });
      if (policy.recordsRefusals !== true) return undefined;
      const refused = { ...config, level: "Metadata" } as const;
      return new RefusalTrail(asked, { config: refused, record, clock });
    },
  };
}

interface TrailParts {
  readonly config: AuditConfig;
  readonly record: (event: AuditEvent) => void;
  readonly clock: Clock;
}

class Trail implements AuditTrail {
  readonly #asked: AskedRequest;
  readonly #parts: TrailParts;
  readonly #level: AuditLevel;
  readonly #notes: BodyNotes | undefined;
  #as: UserInfo | undefined;
  #decision: Decision | undefined;
  #status: AuditStatus | undefined;
  #requestBody: unknown;
  #responseBody: unknown;
  #isTruncated = false;
  #isOver = false;

  constructor(asked: AskedRequest, parts: TrailParts) {
    this.#asked = asked;
    this.#parts = parts;
    this.#level = allowedLevel(parts.config.level, asked.info);
    if (this.#needsBody()) this.#notes = keepBodyOf(asked.request);
    this.#emit("RequestReceived");
  }

  carriedOutAs(user: UserInfo): void {
    if (user !== this.#asked.request.user) this.#as = user;
  }

  decided(decision: Decision): void {
    this.#decision = decision;
  }

  answered(response: ApiResponse, refusal?: Status): ApiResponse {
    this.#status =
      refusal === undefined ? { metadata: {}, code: codeOf(response) } : statusOfRefusal(refusal);
    if (this.#notes !== undefined && this.#level !== "Metadata")
      this.#requestBody = requestBodyOf(this.#asked.request, this.#notes);
    const handed = this.#withBody(response, refusal);
    const stays = response.kind !== "bytes" && response.kind !== "object";
    if (stays || isLongRunning(this.#asked.info)) this.#emit("ResponseStarted");
    if (!stays) this.ended();
    return handed;
  }

  ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#emit("ResponseComplete");
  }

  /** For its name, or for itself. */
  #needsBody(): boolean {
    const { isResource, verb } = this.#asked.info;
    return isResource && (this.#level !== "Metadata" || verb === "create" || verb === "update");
  }

  #withBody(response: ApiResponse, refusal: Status | undefined): ApiResponse {
    if (this.#level !== "RequestResponse" || !this.#asked.info.isResource) return response;
    if (refusal !== undefined) {
      this.#responseBody = refusal;
      return response;
    }
    const { response: handed, body, isTooLong = false } = recordResponse(response);
    this.#responseBody = body;
    this.#isTruncated = isTooLong;
    return handed;
  }

  #emit(stage: AuditStage): void {
    const { config, record, clock } = this.#parts;
    if (config.omitStages.has(stage)) return;
    const { request, info, auditId, receivedMs } = this.#asked;
    const hasBodies = this.#level !== "Metadata";
    record({
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: this.#level,
      auditID: auditId,
      stage,
      requestURI: requestUriOf(request),
      verb: info.verb,
      user: auditUser(request.user),
      impersonatedUser: this.#as && auditUser(this.#as),
      sourceIPs: sourceIpsOf(request),
      userAgent: userAgentOf(request) || undefined,
      objectRef: objectRefOf(info, this.#metadata()),
      responseStatus: this.#status,
      requestObject: hasBodies ? this.#shown(this.#requestBody) : undefined,
      responseObject: hasBodies ? this.#shown(this.#responseBody) : undefined,
      requestReceivedTimestamp: timestamp(receivedMs),
      stageTimestamp: timestamp(clock.now()),
      annotations: this.#annotations(),
    });
  }

  /** What the path does not say: the name of what is created, the version that is replaced. */
  #metadata(): BodyMetadata | undefined {
    const { verb } = this.#asked.info;
    return verb === "create" || verb === "update" ? this.#notes?.metadata : undefined;
  }

  #shown(body: unknown): unknown {
    if (body === undefined) return undefined;
    const shown = redacted(body, this.#asked.info);
    return this.#parts.config.omitManagedFields ? withoutManagedFields(shown) : shown;
  }

  #annotations(): Record<string, string> | undefined {
    const annotations: Record<string, string> = {};
    if (this.#decision !== undefined) {
      annotations["authorization.k8s.io/decision"] = this.#decision.allowed ? "allow" : "forbid";
      annotations["authorization.k8s.io/reason"] = this.#decision.reason;
    }
    for (const [key, value] of annotationsOf(this.#asked.request)) {
      if (this.#level !== "Metadata" || !quotesBody(key)) annotations[key] ??= value;
    }
    if (this.#isTruncated) annotations["audit.k8s.io/truncated"] = "true";
    return Object.keys(annotations).length > 0 ? annotations : undefined;
  }
}

/** Of a request that is recorded only when it is refused. */
class RefusalTrail implements AuditTrail {
  readonly #asked: AskedRequest;
  readonly #parts: TrailParts;
  #as: UserInfo | undefined;
  #decision: Decision | undefined;

  constructor(asked: AskedRequest, parts: TrailParts) {
    this.#asked = asked;
    this.#parts = parts;
  }

  carriedOutAs(user: UserInfo): void {
    this.#as = user;
  }

  decided(decision: Decision): void {
    this.#decision = decision;
  }

  answered(response: ApiResponse, refusal?: Status): ApiResponse {
    if (!refusalCodes.has(refusal?.code ?? 0)) return response;
    const trail = new Trail(this.#asked, this.#parts);
    if (this.#as !== undefined) trail.carriedOutAs(this.#as);
    if (this.#decision !== undefined) trail.decided(this.#decision);
    return trail.answered(response, refusal);
  }

  ended(): void {}
}

/** Of somebody who is not known, may not, or asks for what cannot be read: all that an attempt to get in ends with. */
const refusalCodes: ReadonlySet<number> = new Set([400, 401, 403]);

function codeOf(response: ApiResponse): number {
  if (response.kind === "connect")
    return response.target.kind === "pod" ? connectCode(response.target.action) : 200;
  return response.kind === "events" ? 200 : response.status;
}

/** A log is an answer like others; the other connections change their protocol. */
function connectCode(action: string): number {
  return action === "log" ? 200 : 101;
}
