import type { JsonObject } from "#api/kind.ts";
import { badRequest } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import { readOptionsBody } from "#apiserver/content/decode.ts";
import { numberAt, objectAt, stringAt } from "#apiserver/objects/json.ts";
import type { DeleteOptions } from "#apiserver/objects/plan-deletion.ts";
import { dryRunProblems, invalidOptions } from "#apiserver/verbs/write-options.ts";

export interface ReadDeleteOptions extends DeleteOptions {
  readonly dryRun: boolean;
}

/** The options of a DELETE, from its body or, without one, from its query. */
export async function deleteOptionsOf(call: Call): Promise<ReadDeleteOptions> {
  const body = await readOptionsBody(call);
  if (body !== undefined) return deleteOptionsOfObject(body);
  const options = fromQuery(call.request.query);
  assertConsistent(options);
  return options;
}

/** The options in a decoded `DeleteOptions`. */
export function deleteOptionsOfObject(body: JsonObject): ReadDeleteOptions {
  const options = fromBody(body);
  assertConsistent(options);
  return options;
}

function fromBody(body: JsonObject): ReadDeleteOptions {
  const grace = numberAt(body, "gracePeriodSeconds");
  const policy = stringAt(body, "propagationPolicy");
  const dryRun = Array.isArray(body.dryRun) ? body.dryRun.map(String) : [];
  const problems = dryRunProblems(dryRun);
  if (problems.length > 0) throw invalidOptions("DeleteOptions", problems);
  const preconditions = objectAt(body, "preconditions");
  const uid = stringAt(preconditions, "uid");
  const resourceVersion = stringAt(preconditions, "resourceVersion");
  return {
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
    ...(policy !== "" && { propagationPolicy: policy }),
    ...(typeof body.orphanDependents === "boolean" && { orphanDependents: body.orphanDependents }),
    preconditions: {
      ...(uid !== "" && { uid }),
      ...(resourceVersion !== "" && { resourceVersion }),
    },
    dryRun: dryRun.includes("All"),
  };
}

function fromQuery(query: URLSearchParams): ReadDeleteOptions {
  const grace = query.get("gracePeriodSeconds") ?? "";
  const policy = query.get("propagationPolicy") ?? "";
  const orphan = query.get("orphanDependents") ?? "";
  const seconds = Number(grace);
  if (!Number.isSafeInteger(seconds)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`);
  }
  return {
    ...(grace !== "" && { gracePeriodSeconds: seconds }),
    ...(policy !== "" && { propagationPolicy: policy }),
    ...(orphan !== "" && { orphanDependents: orphan === "true" }),
    dryRun: false,
  };
}

function assertConsistent(options: DeleteOptions): void {
  const policy = options.propagationPolicy;
  if (policy !== undefined && options.orphanDependents !== undefined) {
    throw invalidOption(
      "propagationPolicy",
      `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
    );
  }
  if (policy === undefined || policies.includes(policy)) return;
  throw invalidOption(
    "propagationPolicy",
    `Unsupported value: ${JSON.stringify(policy)}: supported values: ${[...policies, "nil"].map((name) => JSON.stringify(name)).join(", ")}`,
  );
}

const policies = ["Foreground", "Background", "Orphan"];

function invalidOption(field: string, message: string) {
  const reason = message.startsWith("Unsupported") ? "FieldValueNotSupported" : "FieldValueInvalid";
  return invalidOptions("DeleteOptions", [{ reason, message, field }]);
}
