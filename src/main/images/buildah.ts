import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { DataDirectory } from "#main/data-directory.ts";

/** What is built: a folder with a Dockerfile, and the name of the image. */
export interface Build {
  readonly folder: string;
  readonly tag: string;
  /** Default: `Dockerfile` in the folder, else `Containerfile`. */
  readonly file?: string;
}

/**
 * Builds an image with Debian's `buildah` in a storage of the data directory; what buildah prints goes to standard
 * error. Returns the image's id. Earlier builds are its cache.
 */
export async function buildImage(directory: DataDirectory, build: Build): Promise<string> {
  const file = dockerfileOf(build);
  requireBuildah();
  const isolation = ["--isolation", "oci", "--runtime", "runc", "--network", "host"];
  const output = await buildah(directory, [
    "build-using-dockerfile",
    "--layers",
    ...isolation,
    "--file",
    file,
    "--tag",
    build.tag,
    build.folder,
  ]);
  return output.trim().split("\n").at(-1) ?? "";
}

/** Writes an image of the data directory's storage as a docker archive. */
export async function saveImage(
  directory: DataDirectory,
  tag: string,
  archive: string,
): Promise<void> {
  await buildah(directory, ["push", "--quiet", tag, `docker-archive:${archive}:${tag}`]);
}

/** Whether the storage has an image of this name. */
export function hasImage(directory: DataDirectory, tag: string): boolean {
  const [program, ...options] = commandLine(directory);
  const found = spawnSync(program ?? "", [...options, "images", "--quiet", tag], {
    encoding: "utf8",
  });
  return found.status === 0 && found.stdout.trim() !== "";
}

function dockerfileOf(build: Build): string {
  if (!existsSync(build.folder))
    throw new Error(`Cannot build "${build.tag}": there is no folder ${build.folder}`);
  const candidates =
    build.file === undefined
      ? ["Dockerfile", "Containerfile"].map((name) => join(build.folder, name))
      : [build.file];
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file === undefined)
    throw new Error(`Cannot build "${build.tag}": there is no ${candidates.join(" and no ")}`);
  return file;
}

function requireBuildah(): void {
  if (spawnSync("buildah", ["--version"]).error) {
    throw new Error(
      "Cannot build images: buildah is not installed. On Debian: apt-get install buildah runc",
    );
  }
  if (process.getuid?.() !== 0)
    throw new Error("Cannot build images: buildah is run as root here; use sudo");
}

function commandLine(directory: DataDirectory): string[] {
  const storage = join(directory.root, "buildah");
  mkdirSync(storage, { recursive: true });
  return ["buildah", "--root", join(storage, "root"), "--runroot", join(storage, "run")];
}

function buildah(directory: DataDirectory, words: readonly string[]): Promise<string> {
  const [program = "", ...options] = commandLine(directory);
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...options, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let lastWords = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-outputMax);
      process.stderr.write(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-outputMax);
      process.stderr.write(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) return resolve(output);
      const why = lastWords.trim().split("\n").at(-1) ?? "";
      reject(
        new Error(
          `Cannot ${words[0] === "push" ? "save" : "build"} the image: buildah ended with ${code}: ${why}`,
        ),
      );
    });
  });
}

const outputMax = 64 * 1024;
