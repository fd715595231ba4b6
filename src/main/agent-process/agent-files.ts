import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { readJsonFile, writeJsonFile } from "#main/json-file.ts";

/** What a node keeps of having joined, in `agent/` of its data directory. */
export interface AgentFiles {
  readonly directory: string;
  /** Undefined: it has not joined yet. */
  readJoined(): Joined | undefined;
  writeJoined(joined: Joined): void;
  readPair(name: PairName): KeyAndCertificate | undefined;
  writePair(name: PairName, pair: KeyAndCertificate): void;
}

export interface Joined {
  /** Tells this node's interfaces and control groups from those of others on the same machine. */
  readonly id: string;
  readonly nodeName: string;
  /** The cluster's authority, in PEM. */
  readonly authority: string;
}

type PairName = "client" | "serving";

export function openAgentFiles({ root }: DataDirectory): AgentFiles {
  const directory = join(root, "agent");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const joinedFile = join(directory, "joined.json");
  return {
    directory,
    readJoined: () => readJsonFile<Joined>(joinedFile),
    writeJoined: (joined) => writeJsonFile(joinedFile, joined),
    readPair(name) {
      const file = pairFile(directory, name);
      if (!existsSync(file)) return undefined;
      const text = readFileSync(file, "utf8");
      const end = text.indexOf("-----BEGIN CERTIFICATE-----");
      return { key: text.slice(0, end), certificate: text.slice(end) };
    },
    // One file for both, as the kubelet does: no crash leaves a key with another key's certificate.
    writePair(name, { key, certificate }) {
      const file = pairFile(directory, name);
      writeFileSync(`${file}.new`, `${key}${certificate}`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    },
  };
}

export function newNodeId(): string {
  return randomUUID();
}

function pairFile(directory: string, name: PairName): string {
  return join(directory, `${name}.pem`);
}
