import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { VersionInfo } from "#apiserver/endpoints/version.ts";
import { unnamedVersion } from "#apiserver/endpoints/version.ts";
import { rfc3339 } from "#base/clock.ts";

const manifest = join(import.meta.dirname, "../../package.json");

/** The package's own version. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
  return version;
}

/** What `/version` says of this program on this machine. */
export function versionInfo(): VersionInfo {
  return {
    ...unnamedVersion,
    gitVersion: `${unnamedVersion.gitVersion}.${packageVersion()}`,
    buildDate: buildDate(),
    goVersion: `node${process.versions.node}`,
    compiler: "v8",
    platform: `${process.platform}/${architectures[process.arch] ?? process.arch}`,
  };
}

/** The bundle has it written in (tools/bundle.ts); a clone is as old as its manifest. */
function buildDate(): string {
  return process.env["KOGGE_BUILD_DATE"] ?? rfc3339(statSync(manifest).mtimeMs);
}

/** Go's names, by which clients know a platform. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
