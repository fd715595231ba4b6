import type { AgentOptions } from "#cli/program.ts";

/** `kogge agent`: a node on another machine. */
export async function agent(options: AgentOptions): Promise<void> {
  throw new Error(
    `Cannot join ${options.server}: nodes on other machines are not supported in this version. \`kogge up\` runs the server with nodes of its own`,
  );
}
