import type { JsonObject } from "#api/kind.ts";
import type { Call } from "#apiserver/call.ts";
import { isTrue } from "#apiserver/request-info.ts";

/** What a connection asks for, as the object that admission sees: a `PodExecOptions` and the like. */
export function connectOptions({ info, request: { query } }: Call): JsonObject {
  switch (info.subresource) {
    case "portforward": {
      const ports = query.getAll("ports").flatMap((text) => text.split(",").filter(Boolean));
      return options("PodPortForwardOptions", ports.length > 0 && { ports: ports.map(Number) });
    }
    case "attach":
      return options("PodAttachOptions", streams(query));
    default: {
      const command = query.getAll("command");
      return options("PodExecOptions", {
        ...streams(query),
        ...(command.length > 0 && { command }),
      });
    }
  }
}

function options(kind: string, fields: JsonObject | false): JsonObject {
  return { kind, apiVersion: "v1", ...fields };
}

/** Only what is so stands in them, as Go writes them. */
function streams(query: URLSearchParams): JsonObject {
  const container = query.get("container") ?? "";
  const flags = ["stdin", "stdout", "stderr", "tty"].filter((name) => isTrue(query.get(name)));
  return {
    ...Object.fromEntries(flags.map((name) => [name, true])),
    ...(container !== "" && { container }),
  };
}
