import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { parse, stringify } from "yaml";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";

/** How one user reaches one cluster. */
export interface Access {
  readonly server: string;
  /** The cluster's authority, in PEM; absent: one that the machine trusts. */
  readonly authority?: string;
  readonly user: string;
  readonly credentials: KeyAndCertificate | { readonly token: string };
  /** The names of cluster and context; default `kogge`. */
  readonly cluster?: string;
}

interface NamedEntry {
  readonly name: string;
}

interface Kubeconfig {
  readonly apiVersion: "v1";
  readonly kind: "Config";
  readonly clusters: readonly NamedEntry[];
  readonly users: readonly NamedEntry[];
  readonly contexts: readonly NamedEntry[];
  readonly "current-context": string;
}

export function kubeconfigOf(access: Access): string {
  return stringify(configOf(access), { lineWidth: 0 });
}

export function writeKubeconfig(file: string, access: Access): void {
  replaceFile(file, kubeconfigOf(access));
}

/** Adds the access to a kubeconfig, in place of an entry of the same name; returns the file's name. */
export function mergeKubeconfig(access: Access, file = ownKubeconfig()): string {
  const added = configOf(access);
  const kept = readKubeconfig(file);
  const merged = {
    ...kept,
    apiVersion: "v1",
    kind: "Config",
    clusters: withEntries(kept.clusters, added.clusters),
    users: withEntries(kept.users, added.users),
    contexts: withEntries(kept.contexts, added.contexts),
    "current-context": added["current-context"],
  };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  replaceFile(file, stringify(merged, { lineWidth: 0 }));
  return file;
}

function configOf(access: Access): Kubeconfig {
  const cluster = access.cluster ?? "kogge";
  const user = cluster === access.user ? access.user : `${cluster}-${access.user}`;
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      entry(cluster, "cluster", {
        server: access.server,
        ...(access.authority !== undefined && {
          "certificate-authority-data": base64(access.authority),
        }),
      }),
    ],
    users: [entry(user, "user", secretsOf(access.credentials))],
    contexts: [entry(cluster, "context", { cluster, user })],
    "current-context": cluster,
  };
}

function secretsOf(credentials: Access["credentials"]): Readonly<Record<string, string>> {
  if ("token" in credentials) return { token: credentials.token };
  return {
    "client-certificate-data": base64(credentials.certificate),
    "client-key-data": base64(credentials.key),
  };
}

function entry(name: string, field: string, value: Readonly<Record<string, string>>): NamedEntry {
  return { name, [field]: value };
}

function withEntries(
  kept: readonly NamedEntry[] | undefined,
  added: readonly NamedEntry[],
): readonly NamedEntry[] {
  const names = new Set(added.map((one) => one.name));
  return [...(kept ?? []).filter((one) => !names.has(one.name)), ...added];
}

function readKubeconfig(file: string): Partial<Kubeconfig> {
  if (!existsSync(file)) return {};
  try {
    return (parse(readFileSync(file, "utf8")) ?? {}) as Partial<Kubeconfig>;
  } catch (cause) {
    throw new Error(`Cannot merge into ${file}: it is not YAML`, { cause });
  }
}

/** The first file that `KUBECONFIG` names, else kubectl's default. */
export function ownKubeconfig(): string {
  const [first] = (process.env["KUBECONFIG"] ?? "").split(process.platform === "win32" ? ";" : ":");
  return first !== undefined && first !== "" ? first : join(homedir(), ".kube/config");
}

function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
