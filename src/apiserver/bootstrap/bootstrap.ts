import type { ApiServerParts } from "../parts.ts";
import type { ServerState } from "../server-state.ts";

/** Makes what every cluster has from its first moment; what is there already stays as it is. */
export async function bootstrap(_state: ServerState, _parts: ApiServerParts): Promise<void> {}
