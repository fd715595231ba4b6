import process from "node:process";
import type { Clock } from "#base/clock.ts";
import { parseGoDuration } from "#base/go-duration.ts";
import type { Log } from "#base/log.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import { createAuditor, type Auditor } from "#apiserver/audit/auditor.ts";
import { createAuditWebhook, webhookBatchDefault } from "#apiserver/audit/audit-webhook.ts";
import { defaultAuditPolicy } from "#apiserver/audit/default-policy.ts";
import type { AuditBackend } from "#apiserver/audit/event.ts";
import { legacyLine } from "#apiserver/audit/legacy-line.ts";
import type { AuditPolicy } from "#apiserver/audit/policy.ts";
import { readAuditPolicy } from "#apiserver/audit/read-policy.ts";
import { openAuditLog } from "#apiserver/node/audit/audit-log.ts";
import { credentialsOf } from "#apiserver/outgoing-access.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { readYaml } from "#main/yaml-file.ts";

export interface AuditParts {
  readonly flags: ServerFlags;
  readonly outgoing: Outgoing;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the flags ask for; undefined when that is nothing. What is opened goes onto the stack. */
export async function openAudit(
  parts: AuditParts,
  stack: AsyncDisposableStack,
): Promise<Auditor | undefined> {
  const { flags, clock, metrics } = parts;
  const { auditLogPath, auditWebhookConfigFile, auditPolicyFile } = flags;
  const policy = auditPolicyFile === undefined ? defaultAuditPolicy : readPolicy(auditPolicyFile);
  if (auditLogPath === undefined && auditWebhookConfigFile === undefined) return undefined;
  const lost = metrics.counter(
    "apiserver_audit_error_total",
    "Audit events that were lost, by where they should have gone.",
  );
  const onLost = (plugin: string) => (count: number) => lost.add({ plugin }, count);
  const backends: AuditBackend[] = [];
  if (auditLogPath !== undefined)
    backends.push(await openLog(auditLogPath, { ...parts, onLost: onLost("log") }, stack));
  if (auditWebhookConfigFile !== undefined) {
    const webhook = await openWebhook(auditWebhookConfigFile, {
      ...parts,
      onLost: onLost("webhook"),
    });
    backends.push(stack.use(webhook));
  }
  const total = metrics.counter("apiserver_audit_event_total", "Audit events that were recorded.");
  backends.push({ record: () => total.add({}, 1) });
  return createAuditor({ policy, backends, clock });
}

type BackendParts = AuditParts & { readonly onLost: (count: number) => void };

async function openLog(
  path: string,
  { flags, clock, log, onLost }: BackendParts,
  stack: AsyncDisposableStack,
): Promise<AuditBackend> {
  const format = flags.auditLogFormat ?? "json";
  if (path === "-") return standardOutput(format);
  const { auditLogMaxsize = 0, auditLogMaxage = 0 } = flags;
  const file = await openAuditLog({
    path,
    format,
    maxBytes: (auditLogMaxsize || maxSizeDefault) * megabyte,
    maxBackups: flags.auditLogMaxbackup ?? maxBackupsDefault,
    maxAgeMs: auditLogMaxage * dayMs,
    clock,
    log: log.with({ part: "audit" }),
    onLost,
  });
  return stack.use(file);
}

function standardOutput(format: "json" | "legacy"): AuditBackend {
  return {
    record: (event) =>
      void process.stdout.write(
        `${format === "json" ? JSON.stringify(event) : legacyLine(event)}\n`,
      ),
  };
}

async function openWebhook(
  file: string,
  { flags, outgoing, clock, log, onLost }: BackendParts,
): Promise<AuditBackend & AsyncDisposable> {
  const access = await loadKubeconfig(file);
  const { trust, headers } = credentialsOf(access);
  const usual = webhookBatchDefault;
  return createAuditWebhook({
    post: async (body, signal) => {
      const url = access.server;
      const timeoutMs = webhookTimeoutMs;
      const limitBytes = answerBytesMax;
      const request = { method: "POST", url, headers, body, trust, timeoutMs, limitBytes, signal };
      return (await outgoing.send(request)).status;
    },
    batch: {
      bufferSize: flags.auditWebhookBatchBufferSize ?? usual.bufferSize,
      maxSize: flags.auditWebhookBatchMaxSize ?? usual.maxSize,
      maxWaitMs: parseGoDuration(flags.auditWebhookBatchMaxWait ?? "") ?? usual.maxWaitMs,
      throttleQps: flags.auditWebhookBatchThrottleQps ?? usual.throttleQps,
      throttleBurst: flags.auditWebhookBatchThrottleBurst ?? usual.throttleBurst,
    },
    initialBackoffMs:
      parseGoDuration(flags.auditWebhookInitialBackoff ?? "") ?? initialBackoffDefaultMs,
    clock,
    log: log.with({ part: "audit" }),
    onLost,
  });
}

function readPolicy(file: string): AuditPolicy {
  try {
    return readAuditPolicy(readYaml(file));
  } catch (cause) {
    throw new Error(`Cannot use --audit-policy-file ${file}`, { cause });
  }
}

const megabyte = 1024 * 1024;
const dayMs = 24 * 3_600_000;
const maxSizeDefault = 100;
const maxBackupsDefault = 10;
const webhookTimeoutMs = 30_000;
const answerBytesMax = 1024 * 1024;
const initialBackoffDefaultMs = 10_000;
