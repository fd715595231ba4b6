import { applyServerSide } from "#api/apply/server-side-apply.ts";
import { decodeBody } from "#api/decode/decode-body.ts";
import { reportFindings } from "#api/decode/field-findings.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { badRequest, conflict, invalid, isAlreadyExists, notFound } from "#api/status.ts";
import { answerWritten, type Answer, type Written } from "#apiserver/answer.ts";
import { subresourceName, type Call } from "#apiserver/call.ts";
import { readBytes } from "#apiserver/content/body.ts";
import { checkedObject, fieldValidationOf } from "#apiserver/content/decode.ts";
import { createObject } from "#apiserver/objects/create.ts";
import { cloneJson, isObject, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { settleName, settleNamespace } from "#apiserver/objects/metadata.ts";
import { readStored } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { isTrue } from "#apiserver/request-info.ts";
import { assertMayCreate } from "#apiserver/verbs/may-create.ts";

export const applyType = "application/apply-patch+yaml";

/** Server-side apply: makes the object or merges into it what the caller wants to own. */
export async function apply(call: Call): Promise<Answer> {
  const manager = requiredManager(call);
  const applied = await readApplied(call);
  const applying: Applying = { applied, manager };
  for (let attempt = 0; ; attempt += 1) {
    if ((await readStored(call)) !== undefined) {
      return answerWritten(await applyToLive(call, applying), 200);
    }
    try {
      return answerWritten(await applyAsNew(call, applying), 201);
    } catch (error) {
      if (!isAlreadyExists(error) || attempt === attemptsMax) throw error;
    }
  }
}

const attemptsMax = 8;

interface Applying {
  readonly applied: JsonObject;
  readonly manager: string;
}

function applyToLive(call: Call, applying: Applying): Promise<Written> {
  return updateObject(call, {
    change: (current) => merged(call, applying, current.object),
    part: call.subresource?.name === "status" ? "status" : "main",
    managersNoted: true,
  });
}

async function applyAsNew(call: Call, applying: Applying): Promise<Written> {
  if (call.subresource !== undefined) throw notFound(call.kind, call.info.name);
  const uid = stringAt(objectAt(applying.applied, "metadata"), "uid");
  if (uid !== "") {
    throw conflict(
      call.kind,
      call.info.name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  }
  await assertMayCreate(call);
  const object = merged(call, applying, undefined);
  settleNamespace(call, object);
  settleName(call, object);
  return createObject(call, object, { managersNoted: true });
}

function merged(
  call: Call,
  { applied, manager }: Applying,
  live: JsonObject | undefined,
): JsonObject {
  const { object } = applyServerSide({
    live,
    applied,
    manager,
    force: isTrue(call.request.query.get("force")),
    apiVersion: apiVersionOf(call.kind),
    subresource: subresourceName(call),
    schema: call.kind.schema,
    nowMs: call.server.clock.now(),
  });
  const checked = checkedObject(call, call.kind, {
    value: cloneJson(object) as Json,
    findings: [],
  });
  call.kind.strategy.fillDefaults?.(checked);
  return checked;
}

async function readApplied(call: Call): Promise<JsonObject> {
  const value = await readValue(call);
  if (!isObject(value))
    throw badRequest("error decoding YAML: the applied configuration is not an object");
  assertSameKind(call, value);
  return value;
}

async function readValue(call: Call): Promise<Json> {
  const { body } = call.request;
  if (body.kind === "object") return cloneJson(body.value) as Json;
  const mode = fieldValidationOf(call);
  const read = decodeBody(await readBytes(call.request), "application/yaml", {
    findDuplicates: mode !== "Ignore",
  });
  for (const text of reportFindings([], mode, { body: read })) call.warnings.add(text);
  return read.value;
}

function assertSameKind(call: Call, applied: JsonObject): void {
  const kind = stringAt(applied, "kind");
  if (kind === call.kind.kind) return;
  throw badRequest(
    kind === ""
      ? "Object 'Kind' is missing in the applied configuration"
      : `${kind} in version ${JSON.stringify(call.kind.version)} cannot be handled as a ${call.kind.kind}`,
  );
}

function requiredManager(call: Call): string {
  const manager = call.request.query.get("fieldManager") ?? "";
  if (manager !== "") return manager;
  throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
    {
      reason: "FieldValueRequired",
      message: "Required value: is required for apply patch",
      field: "fieldManager",
    },
  ]);
}
