import type { JsonObject } from "#api/kind.ts";
import { badRequest } from "#api/status.ts";
import { admitWhole } from "#apiserver/admission/admission.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { readObject } from "#apiserver/objects/read.ts";
import { connectOptions } from "#apiserver/subresources/connect-options.ts";

/** exec, attach and portforward: names the pod's node and leaves the connection to the edge. */
export async function connectToPod(call: Call): Promise<Answer> {
  const pod = (await readObject(call)).object;
  const action = call.info.subresource as "exec" | "attach" | "portforward";
  await admitWhole(call, {
    operation: "CONNECT",
    object: connectOptions(call),
    old: undefined,
  });
  const nodeName = stringAt(objectAt(pod, "spec"), "nodeName");
  if (nodeName === "") throw badRequest(`pod ${call.info.name} does not have a host assigned`);
  const query = action === "portforward" ? call.request.query : withContainer(call, pod);
  return { kind: "connect", target: { kind: "pod", action, pod, nodeName, query } };
}

/** The log of a container; a pod that is on no node yet has an empty one. */
export async function readLog(call: Call): Promise<Answer> {
  const pod = (await readObject(call)).object;
  const query = withContainer(call, pod);
  const nodeName = stringAt(objectAt(pod, "spec"), "nodeName");
  if (nodeName === "") return { kind: "text", text: "" };
  return { kind: "connect", target: { kind: "pod", action: "log", pod, nodeName, query } };
}

/** The query with the container's name in it: the one that was asked for, or the only one. */
function withContainer(call: Call, pod: JsonObject): URLSearchParams {
  const spec = objectAt(pod, "spec");
  const asked = call.request.query.get("container") ?? "";
  const main = namesOf(spec, "containers");
  const init = namesOf(spec, "initContainers");
  const ephemeral = namesOf(spec, "ephemeralContainers");
  if (asked === "") {
    const [only] = main;
    if (only === undefined || main.length > 1) throw nameNeeded(call, { main, init, ephemeral });
    const query = new URLSearchParams(call.request.query);
    query.set("container", only);
    return query;
  }
  if ([...main, ...init, ...ephemeral].includes(asked)) return call.request.query;
  throw badRequest(`container ${asked} is not valid for pod ${call.info.name}`);
}

function namesOf(spec: JsonObject, field: string): readonly string[] {
  return objectsAt(spec, field).map((container) => stringAt(container, "name"));
}

interface Names {
  readonly main: readonly string[];
  readonly init: readonly string[];
  readonly ephemeral: readonly string[];
}

function nameNeeded(call: Call, { main, init, ephemeral }: Names): Error {
  const more = [
    init.length > 0 ? ` or one of the init containers: [${init.join(" ")}]` : "",
    ephemeral.length > 0 ? ` or one of the ephemeral containers: [${ephemeral.join(" ")}]` : "",
  ].join("");
  return badRequest(
    `a container name must be specified for pod ${call.info.name}, choose one of: [${main.join(" ")}]${more}`,
  );
}
