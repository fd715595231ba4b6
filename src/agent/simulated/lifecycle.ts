import type { Behaviour } from "#agent/simulated/behaviour.ts";
import type { Lifecycle } from "#agent/simulated/node-groups.ts";
import type { SandboxConfig } from "#agent/runtime/container-runtime.ts";
import type { Random } from "#base/random.ts";

const prefix = "simulated.kogge.dev/";

/** What is said of a container, with the first matching lifecycle behind the pod's own annotations. */
export function simulationWith(
  lifecycles: readonly Lifecycle[],
  { labels, annotations }: Pick<SandboxConfig, "labels" | "annotations">,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const lifecycle = lifecycles.find(({ matchLabels }) =>
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value),
  );
  if (lifecycle === undefined) return given;
  const own = Object.entries(given).filter(([name]) => annotations[prefix + name] !== undefined);
  return { ...given, ...lifecycle.simulation, ...Object.fromEntries(own) };
}

const crashWithinMs = 10_000;

/** A crash comes at any moment of the run, or of the first ten seconds. */
export function crashOf(
  { runMs = crashWithinMs, exitCode }: Behaviour,
  random: Random,
): { readonly runMs: number; readonly exitCode: number } {
  return { runMs: random() * runMs, exitCode: exitCode || 1 };
}
