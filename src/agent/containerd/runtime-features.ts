import type { GrpcChannel } from "#agent/containerd/grpc-channel.ts";
import type { RuntimeFeatures } from "#agent/runtime/container-runtime.ts";

interface StatusAnswer {
  readonly features: Partial<RuntimeFeatures> | null;
  readonly runtimeHandlers: readonly {
    readonly name: string;
    readonly features: { readonly recursiveReadOnlyMounts: boolean } | null;
  }[];
}

/** What this containerd says of itself. */
export async function runtimeFeatures(channel: GrpcChannel): Promise<RuntimeFeatures> {
  const { features, runtimeHandlers } = await channel.call<StatusAnswer>(
    "runtime.v1.RuntimeService/Status",
    {},
  );
  const usual = runtimeHandlers.find(({ name }) => name === "");
  return {
    supplementalGroupsPolicy: features?.supplementalGroupsPolicy ?? false,
    recursiveReadOnly: usual?.features?.recursiveReadOnlyMounts ?? false,
  };
}

/** Whether it adds CDI devices to containers itself: since containerd 1.7; those before pass over their names. */
export function takesCdi(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major > 1 || (major === 1 && minor >= 7);
}
