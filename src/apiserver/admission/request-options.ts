import type { JsonObject } from "#api/kind.ts";
import type { Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";

/** The options of a write as the object that webhooks and policies see; undefined for a connection. */
export function requestOptions(call: Call, attempt: Attempt): JsonObject | undefined {
  switch (attempt.operation) {
    case "CREATE":
      return optionsOf("CreateOptions", call);
    case "UPDATE":
      return optionsOf("UpdateOptions", call);
    case "DELETE":
      return attempt.options;
    case "CONNECT":
      return undefined;
  }
}

function optionsOf(kind: string, { request: { query }, dryRun }: Call): JsonObject {
  const fieldManager = query.get("fieldManager") ?? "";
  const fieldValidation = query.get("fieldValidation") ?? "";
  return {
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun && { dryRun: ["All"] }),
    ...(fieldManager !== "" && { fieldManager }),
    ...(fieldValidation !== "" && { fieldValidation }),
  };
}
