import { parseGoDuration } from "#base/go-duration.ts";

/** `EncryptionConfiguration` of `apiserver.config.k8s.io/v1`: which resources are encrypted, with what. */
export interface EncryptionConfiguration {
  readonly resources: readonly ResourceConfiguration[];
}

export interface ResourceConfiguration {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group), `*.*`. */
  readonly resources: readonly string[];
  /** The first encrypts. */
  readonly providers: readonly ProviderConfiguration[];
}

export type ProviderConfiguration =
  | { readonly kind: "identity" }
  | { readonly kind: KeyedProvider; readonly keys: readonly NamedKey[] }
  | {
      readonly kind: "kms";
      readonly name: string;
      readonly endpoint: string;
      readonly timeoutMs: number;
    };

/** Those whose keys stand in the configuration. */
export type KeyedProvider = "aesgcm" | "aescbc" | "secretbox";

export interface NamedKey {
  readonly name: string;
  readonly secret: Uint8Array;
}

/** Takes the file's value apart. @throws with every problem and its field, in upstream's words; never with a secret */
export function readEncryptionConfiguration(value: unknown): EncryptionConfiguration {
  const problems: string[] = [];
  const file = objectOf(value);
  const report = (field: string, problem: string): void =>
    void problems.push(`${field}: ${problem}`);
  if (file["kind"] !== "EncryptionConfiguration")
    report("kind", 'must be "EncryptionConfiguration"');
  if (file["apiVersion"] !== "apiserver.config.k8s.io/v1")
    report("apiVersion", 'must be "apiserver.config.k8s.io/v1"');
  const resources = arrayOf(file["resources"]).map((one, at) =>
    readResource(objectOf(one), `resources[${at}]`, report),
  );
  if (resources.length === 0)
    report("resources", "Required value: at least one resource is required");
  assertDistinctKms(resources, report);
  if (problems.length > 0)
    throw new Error(`Cannot use the encryption configuration: ${problems.join("; ")}`);
  return { resources };
}

/** Whether a list as in the configuration names this resource. */
export function namesResource(names: readonly string[], group: string, resource: string): boolean {
  return names.some((name) => {
    const dot = name.indexOf(".");
    const ofResource = dot < 0 ? name : name.slice(0, dot);
    const ofGroup = dot < 0 ? "" : name.slice(dot + 1);
    return (
      (ofResource === "*" || ofResource === resource) && (ofGroup === "*" || ofGroup === group)
    );
  });
}

type Report = (field: string, problem: string) => void;

function readResource(
  value: Record<string, unknown>,
  field: string,
  report: Report,
): ResourceConfiguration {
  const resources = arrayOf(value["resources"]).map(String);
  if (resources.length === 0)
    report(`${field}.resources`, "Required value: at least one resources[].resources is required");
  for (const [at, name] of resources.entries())
    checkName(name, `${field}.resources[${at}]`, report);
  for (const name of new Set(resources.filter((one, at) => resources.indexOf(one) !== at)))
    report(
      `${field}.resources`,
      `Invalid value: "${name}": the same resource cannot be specified multiple times`,
    );
  const providers = arrayOf(value["providers"]).flatMap((one, at) =>
    readProvider(objectOf(one), `${field}.providers[${at}]`, report),
  );
  if (providers.length === 0)
    report(`${field}.providers`, "Required value: at least one provider is required");
  return { resources, providers };
}

function checkName(name: string, field: string, report: Report): void {
  const invalid = (why: string): void => report(field, `Invalid value: "${name}": ${why}`);
  if (name !== name.toLowerCase()) invalid("resource name should not contain capital letters");
  if (name === "*")
    invalid(
      "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
    );
  if (/^[^*]+\.\*$/.test(name))
    invalid("encrypting the same resource across groups is not supported");
  if (name.endsWith(".extensions"))
    invalid("'extensions' group has been removed and cannot be used for encryption");
}

function readProvider(
  value: Record<string, unknown>,
  field: string,
  report: Report,
): ProviderConfiguration[] {
  const [kind, ...more] = Object.keys(value);
  if (kind === undefined || more.length > 0) {
    const problem =
      kind === undefined
        ? "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
        : "more than one provider specified in a single element, should split into different list elements";
    report(field, `Invalid value: ${problem}`);
    return [];
  }
  const inner = objectOf(value[kind]);
  switch (kind) {
    case "identity":
      return [{ kind }];
    case "aesgcm":
    case "aescbc":
    case "secretbox":
      return [{ kind, keys: readKeys(inner, { kind, field: `${field}.${kind}.keys` }, report) }];
    case "kms":
      return [readKms(inner, `${field}.kms`, report)];
    default:
      report(field, `unknown provider "${kind}"`);
      return [];
  }
}

interface KeyPlace {
  readonly kind: KeyedProvider;
  readonly field: string;
}

/** In bytes. */
const keyLengths: Readonly<Record<KeyedProvider, readonly number[]>> = {
  aesgcm: [16, 24, 32],
  aescbc: [16, 24, 32],
  secretbox: [32],
};

function readKeys(
  value: Record<string, unknown>,
  { kind, field }: KeyPlace,
  report: Report,
): readonly NamedKey[] {
  const keys = arrayOf(value["keys"]).map((one, at) =>
    readKey(objectOf(one), { kind, field: `${field}[${at}]` }, report),
  );
  if (keys.length === 0) report(field, "Required value: at least one keys is required");
  for (const { name } of keys.filter(
    (key, at) => keys.findIndex((one) => one.name === key.name) !== at,
  ))
    report(field, `Duplicate value: "${name}"`);
  return keys;
}

function readKey(
  value: Record<string, unknown>,
  { kind, field }: KeyPlace,
  report: Report,
): NamedKey {
  const name = textOf(value["name"]);
  const encoded = textOf(value["secret"]);
  if (name === "") report(`${field}.name`, "Required value: name is a mandatory field for a key");
  if (name.includes(":"))
    report(`${field}.name`, "Invalid value: a key's name must not contain ':'");
  if (encoded === "")
    report(`${field}.secret`, "Required value: secret is a mandatory field for a key");
  const secret = decodeBase64(encoded);
  if (secret === undefined)
    report(`${field}.secret`, 'Invalid value: "REDACTED": secrets must be base64 encoded');
  else if (encoded !== "" && !keyLengths[kind].includes(secret.length))
    report(
      `${field}.secret`,
      `Invalid value: "REDACTED": secret is not of the expected length, got ${secret.length}, expected one of [${keyLengths[kind].join(" ")}]`,
    );
  return { name, secret: secret ?? new Uint8Array() };
}

function readKms(
  value: Record<string, unknown>,
  field: string,
  report: Report,
): ProviderConfiguration {
  const name = textOf(value["name"]);
  const endpoint = textOf(value["endpoint"]);
  if (textOf(value["apiVersion"]) !== "v2")
    report(`${field}.apiVersion`, "only version v2 of the KMS protocol is spoken here");
  if (name === "")
    report(`${field}.name`, "Required value: name is a mandatory field for a provider");
  if (name.includes(":"))
    report(
      `${field}.name`,
      `Invalid value: invalid KMS provider name ${name}, must not contain ':'`,
    );
  if (!endpoint.startsWith("unix://"))
    report(
      `${field}.endpoint`,
      `Invalid value: "${endpoint}": unsupported scheme for KMS provider, only unix is supported`,
    );
  const timeoutMs =
    value["timeout"] === undefined
      ? timeoutDefaultMs
      : (parseGoDuration(textOf(value["timeout"])) ?? 0);
  if (timeoutMs <= 0)
    report(`${field}.timeout`, "Invalid value: timeout should be a positive value");
  return { kind: "kms", name, endpoint, timeoutMs };
}

function assertDistinctKms(resources: readonly ResourceConfiguration[], report: Report): void {
  const seen = new Map<string, string>();
  for (const provider of resources.flatMap(({ providers }) => providers)) {
    if (provider.kind !== "kms") continue;
    const endpoint = seen.get(provider.name);
    if (endpoint !== undefined && endpoint !== provider.endpoint)
      report("resources", `duplicate KMS provider name ${provider.name}, names must be unique`);
    seen.set(provider.name, provider.endpoint);
  }
}

const timeoutDefaultMs = 3_000;

function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
