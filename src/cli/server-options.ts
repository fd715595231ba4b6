import { resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { parseGoDuration } from "#base/go-duration.ts";
import type { ServerFlags } from "#cli/server-flags.ts";

interface Flag {
  readonly name: string;
  readonly value: "file" | "text" | "number" | "duration";
  readonly text: string;
  readonly choices?: readonly string[];
}

const serverFlagTable: readonly Flag[] = [
  { name: "etcd-prefix", value: "text", text: "what stands before every key in etcd (/kogge)" },
  { name: "etcd-cafile", value: "file", text: "the authority of etcd's certificate (PEM)" },
  { name: "etcd-certfile", value: "file", text: "the certificate to show to etcd (PEM)" },
  { name: "etcd-keyfile", value: "file", text: "the key of that certificate (PEM)" },
  {
    name: "encryption-provider-config",
    value: "file",
    text: "what is encrypted in the store, as an EncryptionConfiguration (Secrets, with a key in pki/)",
  },
  { name: "host", value: "text", text: "where the API listens; 0.0.0.0: for other machines too" },
  {
    name: "advertise-address",
    value: "text",
    text: "where nodes and pods reach the API (this machine's first address)",
  },
  {
    name: "authentication-config",
    value: "file",
    text: "issuers of OpenID Connect and anonymous access, as an AuthenticationConfiguration",
  },
  { name: "oidc-issuer-url", value: "text", text: "the one issuer of OpenID Connect" },
  { name: "oidc-client-id", value: "text", text: "the audience of that issuer's tokens" },
  { name: "oidc-username-claim", value: "text", text: "the claim that names the user (sub)" },
  {
    name: "oidc-username-prefix",
    value: "text",
    text: "what stands before user names; - for nothing (ISSUER#, for email nothing)",
  },
  { name: "oidc-groups-claim", value: "text", text: "the claim that lists groups" },
  { name: "oidc-groups-prefix", value: "text", text: "what stands before groups" },
  { name: "oidc-required-claim", value: "text", text: "claims tokens must have: A=B,C=D" },
  { name: "oidc-ca-file", value: "file", text: "the authority of the issuer's certificate (PEM)" },
  {
    name: "anonymous-auth",
    value: "text",
    text: "whether those who show nothing are let in as system:anonymous (true)",
    choices: ["true", "false"],
  },
  {
    name: "authentication-token-webhook-config-file",
    value: "file",
    text: "a kubeconfig of the service that reviews tokens",
  },
  {
    name: "authentication-token-webhook-version",
    value: "text",
    text: "the version of TokenReview it speaks (v1)",
    choices: ["v1", "v1beta1"],
  },
  {
    name: "authentication-token-webhook-cache-ttl",
    value: "duration",
    text: "how long its answers hold (2m)",
  },
  {
    name: "authorization-config",
    value: "file",
    text: "who decides on access, in which order, as an AuthorizationConfiguration",
  },
  {
    name: "login-config",
    value: "file",
    text: "the LDAP directory whose people use `kogge login`, as a LoginConfiguration",
  },
  {
    name: "enable-admission-plugins",
    value: "text",
    text: "admission plugins beyond those that act by default: AlwaysPullImages,PodNodeSelector",
  },
  {
    name: "disable-admission-plugins",
    value: "text",
    text: "admission plugins that do not act, of those that do by default",
  },
  {
    name: "admission-control-config-file",
    value: "file",
    text: "what admission plugins are told, as an AdmissionConfiguration",
  },
  {
    name: "scheduler-config",
    value: "file",
    text: "profiles of the scheduler, as a KubeSchedulerConfiguration",
  },
  {
    name: "simulated-nodes",
    value: "file",
    text: "groups of simulated nodes: labels, taints, capacity, faults (docs/simulated-nodes.md)",
  },
];

const auditFlagTable: readonly Flag[] = [
  { name: "audit-policy-file", value: "file", text: "what is recorded (audit.k8s.io/v1 Policy)" },
  {
    name: "audit-log-path",
    value: "file",
    text: "the file for the record of requests; - for standard output (none is kept)",
  },
  {
    name: "audit-log-format",
    value: "text",
    text: "how it is written",
    choices: ["json", "legacy"],
  },
  { name: "audit-log-maxsize", value: "number", text: "megabytes before it is rotated (100)" },
  { name: "audit-log-maxage", value: "number", text: "days to keep rotated files (0: any)" },
  { name: "audit-log-maxbackup", value: "number", text: "how many to keep (10; 0: all)" },
  {
    name: "audit-webhook-config-file",
    value: "file",
    text: "a kubeconfig of the service to which the record is sent",
  },
  {
    name: "audit-webhook-initial-backoff",
    value: "duration",
    text: "wait before the second attempt (10s)",
  },
  { name: "audit-webhook-batch-buffer-size", value: "number", text: "events that wait (10000)" },
  { name: "audit-webhook-batch-max-size", value: "number", text: "events in a batch (400)" },
  {
    name: "audit-webhook-batch-max-wait",
    value: "duration",
    text: "how long a batch waits for more (30s)",
  },
  {
    name: "audit-webhook-batch-throttle-qps",
    value: "number",
    text: "batches a second (10; 0: any number)",
  },
  {
    name: "audit-webhook-batch-throttle-burst",
    value: "number",
    text: "batches at once after a pause (15)",
  },
];

export function addServerFlags(command: Command): Command {
  for (const flag of [...serverFlagTable, ...auditFlagTable]) {
    const option = new Option(`--${flag.name} <${flag.value}>`, flag.text);
    if (flag.choices) option.choices(flag.choices);
    else option.argParser((text) => parse(flag, text));
    command.addOption(option);
  }
  return command;
}

/** The flags among a command's options; those not given are absent. */
export function serverFlagsOf(options: object): ServerFlags {
  const given = [...serverFlagTable, ...auditFlagTable].flatMap(({ name }) => {
    const value = valueOf(options, name);
    return value === undefined ? [] : [[fieldOf(name), value] as const];
  });
  return Object.fromEntries(given);
}

/** The words that give the same flags again. */
export function serverFlagWords(flags: ServerFlags): string[] {
  return [...serverFlagTable, ...auditFlagTable].flatMap(({ name }) => {
    const value = valueOf(flags, name);
    return value === undefined ? [] : [`--${name}`, String(value)];
  });
}

function valueOf(options: object, name: string): string | number | undefined {
  return Reflect.get(options, fieldOf(name)) as string | number | undefined;
}

function parse({ value }: Flag, text: string): string | number {
  switch (value) {
    case "file":
      return text === "-" ? text : resolve(text);
    case "number":
      return wholeNumber(text);
    case "duration":
      return duration(text);
    case "text":
      return text;
  }
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("a whole number");
  return Number(text);
}

function duration(text: string): string {
  if ((parseGoDuration(text) ?? -1) < 0) throw new InvalidArgumentError("a duration such as 30s");
  return text;
}

function fieldOf(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
