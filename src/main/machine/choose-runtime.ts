import { forContainers } from "#main/machine/findings.ts";

export type RuntimeName = "containerd" | "simulated";

export interface RuntimeChoice {
  readonly runtime: RuntimeName;
  /** Why containers are only simulated, when nobody asked for that. */
  readonly why?: string;
}

/**
 * `auto` takes containerd when this machine has what it needs.
 * @throws when containerd is asked for by name and cannot be had
 */
export function chooseRuntime(wanted: "auto" | RuntimeName): RuntimeChoice {
  if (wanted === "simulated") return { runtime: "simulated" };
  const lacking = forContainers().filter((finding) => finding.state === "missing");
  if (lacking.length === 0) return { runtime: "containerd" };
  const list = lacking
    .map((finding) => `${finding.name} (${finding.remedy ?? finding.detail})`)
    .join(", ");
  if (wanted === "containerd") throw new Error(`Cannot run real containers, missing: ${list}`);
  return { runtime: "simulated", why: `containers are simulated, because real ones need: ${list}` };
}
