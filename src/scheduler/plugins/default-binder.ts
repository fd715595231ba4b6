import { pods } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import type { Plugin } from "#scheduler/framework.ts";

/** Binds through `pods/binding`. */
export function createDefaultBinder(client: Client): Plugin {
  return {
    name: "DefaultBinder",
    async bind({ placed: { namespace, name, uid } }, nodeName, signal) {
      const binding = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, uid },
        target: { kind: "Node", name: nodeName },
      };
      await client.post(pods, { namespace, name, subresource: "binding" }, binding, { signal });
    },
  };
}
