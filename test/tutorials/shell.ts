import { equal } from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, type Outcome } from "#test/clients.ts";
import { freePort, koggeFor, writeBusyboxBuild } from "#test/kogge-command.ts";
import { temporaryFolder } from "#test/temporary.ts";

type Manifest = object | readonly object[];

/** A cluster to follow a tutorial on with kubectl. Words are split at spaces; what is within '…' stays together. */
export interface Shell extends AsyncDisposable {
  /** Whether containers run. On simulated nodes they only seem to: nothing can be asked of what is in them. */
  readonly isReal: boolean;
  /** Runs kubectl; throws what it complains of. */
  readonly kubectl: (words: string, input?: Manifest) => Promise<string>;
  /** Runs kubectl and returns what it complains of. */
  readonly refused: (words: string) => Promise<string>;
  /** Runs kubectl until it answers this. */
  readonly until: (words: string, expected: string) => Promise<void>;
  /** Runs a script in a pod's container, by bash. */
  readonly inPod: (pod: string, script: string) => Promise<string>;
  /** The same until it answers this. */
  readonly untilInPod: (pod: string, script: string, expected: string) => Promise<void>;
}

/** Two versions of an image with a shell, a server of web pages, and name lookups. */
export const images = ["localhost/kogge-test/tutorial:1", "localhost/kogge-test/tutorial:2"];

const patienceMs = 120_000;
const pauseMs = 100;

/** Simulated nodes in this process. */
export async function openSimulatedShell(nodes: number): Promise<Shell> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder("tutorial"));
  const cluster = stack.use(await createCluster({ nodes }));
  const kubeconfig = join(folder.path, "kubeconfig");
  cluster.writeKubeconfig(kubeconfig);
  return shellOf(kubeconfig, false, stack.move());
}

/** Nodes on this machine that run containers, with the images on each. */
export async function openRealShell(nodes: number): Promise<Shell> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder("tutorial"));
  const kogge = stack.use(koggeFor(join(folder.path, "data")));
  const words = [
    "--nodes",
    String(nodes),
    "--runtime",
    "containerd",
    "--port",
    String(await freePort()),
  ];
  const { kubeconfig } = await kogge.up(words);
  for (const [index, image] of images.entries()) {
    const build = join(folder.path, `image-${index}`);
    writeBusyboxBuild(build, [`RUN ["/bin/touch", "/version-${index + 1}"]`]);
    await kogge(["image", "build", build, "-t", image]);
  }
  return shellOf(kubeconfig, true, stack.move());
}

function shellOf(kubeconfig: string, isReal: boolean, parts: AsyncDisposableStack): Shell {
  const client = kubectlFor(kubeconfig);
  const attempt = (words: readonly string[], input?: Manifest): Promise<Outcome> =>
    client.try(words, { timeoutMs: patienceMs, ...(input && { input: documentsOf(input) }) });
  const succeed = async (words: readonly string[], input?: Manifest): Promise<string> => {
    const { code, stdout, stderr } = await attempt(words, input);
    if (code !== 0) throw new Error(`Cannot run kubectl ${words.join(" ")}: ${stderr}${stdout}`);
    return stdout.trim();
  };
  const scriptIn = (pod: string, script: string) => ["exec", pod, "--", "bash", "-c", script];
  return {
    isReal,
    kubectl: (words, input) => succeed(wordsOf(words), input),
    refused: async (words) => (await attempt(wordsOf(words))).stderr.trim(),
    until: (words, expected) => waitFor(() => succeed(wordsOf(words)), expected),
    inPod: (pod, script) => succeed(scriptIn(pod, script)),
    // A container that is being replaced cannot be asked for a moment.
    untilInPod: (pod, script, expected) =>
      waitFor(async () => (await attempt(scriptIn(pod, script))).stdout.trim(), expected),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function wordsOf(text: string): readonly string[] {
  const words = text.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  return words.map((word) => word.replaceAll("'", ""));
}

function documentsOf(input: Manifest): string {
  const documents = Array.isArray(input) ? input : [input];
  return documents.map((one: object) => stringify(one)).join("---\n");
}

async function waitFor(ask: () => Promise<string>, expected: string): Promise<void> {
  const limit = AbortSignal.timeout(patienceMs);
  for (;;) {
    const answer = await ask();
    if (answer === expected) return;
    if (limit.aborted) equal(answer, expected);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
