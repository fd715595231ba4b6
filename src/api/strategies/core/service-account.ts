import type { ServiceAccount } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";

export const serviceAccountStrategy = strategyFor<ServiceAccount>({
  warnings(account) {
    const annotation = "kubernetes.io/enforce-mountable-secrets";
    return account.metadata?.annotations?.[annotation] === undefined
      ? []
      : [
          `metadata.annotations[${annotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ];
  },
});
