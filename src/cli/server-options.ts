import { resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";

/** How the API server of a cluster is run beyond the usual; named as kube-apiserver's flags. Kept for later starts. */
export interface ServerFlags {
  readonly etcdPrefix?: string;
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
  readonly encryptionProviderConfig?: string;
  readonly host?: string;
  readonly advertiseAddress?: string;
  /** Names with commas between. */
  readonly enableAdmissionPlugins?: string;
  readonly disableAdmissionPlugins?: string;
}

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
    name: "enable-admission-plugins",
    value: "text",
    text: "admission plugins beyond those that act by default: AlwaysPullImages,PodNodeSelector",
  },
  {
    name: "disable-admission-plugins",
    value: "text",
    text: "admission plugins that do not act, of those that do by default",
  },
];

export function addServerFlags(command: Command): Command {
  for (const flag of serverFlagTable) {
    const option = new Option(`--${flag.name} <${flag.value}>`, flag.text);
    if (flag.choices) option.choices(flag.choices);
    else option.argParser((text) => parse(flag, text));
    command.addOption(option);
  }
  return command;
}

/** The flags among a command's options; those not given are absent. */
export function serverFlagsOf(options: object): ServerFlags {
  const given = serverFlagTable.flatMap(({ name }) => {
    const value = valueOf(options, name);
    return value === undefined ? [] : [[fieldOf(name), value] as const];
  });
  return Object.fromEntries(given);
}

/** The words that give the same flags again. */
export function serverFlagWords(flags: ServerFlags): string[] {
  return serverFlagTable.flatMap(({ name }) => {
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
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text))
    throw new InvalidArgumentError("a duration such as 30s");
  return text;
}

function fieldOf(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
