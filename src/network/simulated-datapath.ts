import type { Datapath, ServiceRule } from "#network/datapath.ts";

/** A datapath that carries nothing and remembers what it was given: for simulated nodes and tests. */
export interface SimulatedDatapath extends Datapath {
  readonly services: readonly ServiceRule[];
  /** How often `apply` was called. */
  readonly applied: number;
}

export function createSimulatedDatapath(): SimulatedDatapath {
  let services: readonly ServiceRule[] = [];
  let applied = 0;
  return {
    get services() {
      return services;
    },
    get applied() {
      return applied;
    },
    apply: async (wanted) => {
      services = wanted;
      applied += 1;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
