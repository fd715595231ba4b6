import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { namesResource } from "#apiserver/encryption/configuration.ts";
import type {
  EncryptionConfiguration,
  ProviderConfiguration,
} from "#apiserver/encryption/configuration.ts";
import { asItIs, createSealing } from "#apiserver/encryption/sealer.ts";
import type { Sealer, Sealing } from "#apiserver/encryption/sealer.ts";
import { aesCbcSealer, aesGcmSealer } from "#apiserver/node/encryption/aes-sealers.ts";

export interface SealingParts {
  readonly clock: Clock;
  readonly log: Log;
}

/** What a configuration asks for. Disposing of it ends its connections to key-management plugins. */
export async function openSealing(
  configuration: EncryptionConfiguration,
  parts: SealingParts,
): Promise<Sealing & Disposable> {
  using opening = new DisposableStack();
  const plugins = new Map<string, Promise<Sealer & Disposable>>();
  const sealersOf = async (provider: ProviderConfiguration): Promise<readonly Sealer[]> => {
    switch (provider.kind) {
      case "identity":
        return [asItIs];
      case "aesgcm":
        return provider.keys.map(({ name, secret }) => aesGcmSealer(name, secret));
      case "aescbc":
        return provider.keys.map(({ name, secret }) => aesCbcSealer(name, secret));
      case "secretbox": {
        const { secretboxSealer } = await import("#apiserver/node/encryption/secretbox-sealer.ts");
        return provider.keys.map(({ name, secret }) => secretboxSealer(name, secret));
      }
      case "kms": {
        const plugin = plugins.get(provider.name) ?? openKms(provider, parts);
        plugins.set(provider.name, plugin);
        return [opening.use(await plugin)];
      }
    }
  };
  const rules = [];
  for (const { resources, providers } of configuration.resources) {
    const sealers: Sealer[] = [];
    for (const provider of providers) sealers.push(...(await sealersOf(provider)));
    const matches = (group: string, resource: string): boolean =>
      namesResource(resources, group, resource);
    rules.push({ matches, sealers });
  }
  const open = opening.move();
  return { ...createSealing(rules), [Symbol.dispose]: () => open.dispose() };
}

async function openKms(
  provider: ProviderConfiguration & { readonly kind: "kms" },
  parts: SealingParts,
): Promise<Sealer & Disposable> {
  const { openKmsSealer } = await import("#apiserver/node/encryption/kms-sealer.ts");
  return openKmsSealer({ ...provider, ...parts });
}
