import assert from "node:assert/strict";
import type { JsonObject } from "#api/kind.ts";
import { createOutgoing } from "#apiserver/node/outgoing/outgoing.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";
import { startWebhookServer, type Asked, type WebhookServer } from "#test/webhook-server.ts";

// Webhooks registered with a server in memory. For tests only.

export const registration = "/apis/admissionregistration.k8s.io/v1";
export const maps = "/api/v1/namespaces/default/configmaps";

export interface Setup extends AsyncDisposable {
  readonly api: TestServer;
  readonly hook: WebhookServer;
}

/** A server and a webhook that says what `respond` says, `allowed` where that is nothing. */
export async function setUp(
  respond: (request: JsonObject, asked: Asked) => JsonObject,
): Promise<Setup> {
  const stack = new AsyncDisposableStack();
  const hook = stack.use(
    await startWebhookServer((asked) => {
      const request = objectAt(asked.body, "request");
      const response = { uid: request.uid, allowed: true, ...respond(request, asked) };
      const body = { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", response };
      return { body: body as JsonObject };
    }),
  );
  const outgoing = stack.use(createOutgoing());
  const api = stack.use(await createTestServer({ outgoing }));
  return { api, hook, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

export async function register(
  { api, hook }: Setup,
  kind: "Mutating" | "Validating",
  webhooks: readonly JsonObject[],
  name = "hooks",
): Promise<void> {
  const body = {
    metadata: { name },
    webhooks: webhooks.map((webhook, index) => ({
      name: `hook-${index}.example.com`,
      rules: [rule({})],
      clientConfig: { url: `${hook.url}/${index}`, caBundle: hook.caBundle },
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      ...webhook,
    })),
  };
  const path = `${registration}/${kind.toLowerCase()}webhookconfigurations`;
  const answer = await api.send("POST", path, { body });
  assert.equal(answer.status, 201, answer.text);
}

export function rule(fields: JsonObject): JsonObject {
  return {
    apiGroups: [""],
    apiVersions: ["v1"],
    resources: ["configmaps"],
    operations: ["*"],
    ...fields,
  };
}

export function patch(...operations: JsonObject[]): JsonObject {
  return { patchType: "JSONPatch", patch: btoa(JSON.stringify(operations)) };
}

export function configMap(name: string, more: JsonObject = {}): JsonObject {
  return { metadata: { name }, data: { a: "1" }, ...more };
}
