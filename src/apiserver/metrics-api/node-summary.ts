/** What a node's `/stats/summary` tells, as far as it is used here: upstream's `stats/v1alpha1`. */
export interface NodeSummary {
  readonly node: ProcessSummary;
  readonly pods?: readonly PodSummary[];
}

export interface PodSummary {
  readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly containers?: readonly (ProcessSummary & { readonly name: string })[];
}

export interface ProcessSummary {
  readonly startTime: string;
  readonly cpu?: { readonly time: string; readonly usageNanoCores?: number };
  readonly memory?: { readonly workingSetBytes?: number };
}

/** Asks a node for its statistics of processors and memory; rejects when it cannot be reached. */
export type ReadNodeSummary = (nodeName: string, signal: AbortSignal) => Promise<NodeSummary>;
