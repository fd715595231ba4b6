import type { JsonObject } from "#api/kind.ts";
import { badRequest, conflict, invalid, notFound, StatusError } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import { invariant } from "#base/invariant.ts";
import { admitWhole } from "#apiserver/admission/admission.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { numberAt, objectAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import { lookUp, readObject } from "#apiserver/objects/read.ts";
import type { TokenClaims } from "#apiserver/parts.ts";

/** `serviceaccounts/token`: issues a token for the account, bound to a pod, secret or node where that is asked for. */
export async function requestToken(call: Call): Promise<Answer> {
  invariant(call.subresource !== undefined, "token is a subresource");
  const { tokens } = call.server;
  if (tokens === undefined) throw noIssuer();
  const request = await readObjectBody(call, call.subresource);
  assertSamePlace(call, objectAt(request, "metadata"));
  const account = (await readObject(call)).object;
  await admitWhole(call, { operation: "CREATE", object: request, old: undefined });
  const claims = claimsOf(call, account, request);
  const issued = await tokens.issue(claims);
  const spec = {
    ...objectAt(request, "spec"),
    audiences: [...claims.audiences],
    expirationSeconds: claims.expirationSeconds,
  };
  return {
    kind: "value",
    status: 201,
    value: {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: {
        name: call.info.name,
        namespace: call.info.namespace,
        uid: claims.serviceAccount.uid,
        creationTimestamp: rfc3339(call.server.clock.now()),
      },
      spec,
      status: { token: issued.token, expirationTimestamp: rfc3339(issued.expiresAtMs) },
    },
  };
}

/** A request may name the account it is sent to, but no other. */
function assertSamePlace({ info }: Call, metadata: JsonObject): void {
  for (const field of ["name", "namespace"] as const) {
    const given = stringAt(metadata, field);
    if (given === "" || given === info[field]) continue;
    throw invalid(tokenRequest, info.name, [
      {
        reason: "FieldValueInvalid",
        message: `Invalid value: ${JSON.stringify(given)}: must match the service account ${field} if specified`,
        field: `metadata.${field}`,
      },
    ]);
  }
}

const tokenRequest = { group: "authentication.k8s.io", kind: "TokenRequest" };

function claimsOf(call: Call, account: JsonObject, request: JsonObject): TokenClaims {
  const spec = objectAt(request, "spec");
  const metadata = objectAt(account, "metadata");
  const uid = stringAt(metadata, "uid");
  const asked = stringAt(objectAt(request, "metadata"), "uid");
  if (asked !== "" && asked !== uid) {
    throw conflict(
      { group: tokenRequest.group, resource: tokenRequest.kind },
      call.info.name,
      `the UID in the token request (${asked}) does not match the UID of the service account (${uid})`,
    );
  }
  return {
    namespace: call.info.namespace,
    serviceAccount: { name: call.info.name, uid },
    audiences: stringsAt(spec, "audiences"),
    expirationSeconds: lifetimeOf(spec),
    ...boundTo(call, objectAt(spec, "boundObjectRef")),
  };
}

function lifetimeOf(spec: JsonObject): number {
  const seconds = numberAt(spec, "expirationSeconds") ?? defaultSeconds;
  const problem =
    seconds < minSeconds
      ? "may not specify a duration less than 10 minutes"
      : seconds > maxSeconds && "may not specify a duration larger than 2^32 seconds";
  if (!problem) return seconds;
  throw invalid(tokenRequest, "", [
    {
      reason: "FieldValueInvalid",
      message: `Invalid value: ${seconds}: ${problem}`,
      field: "spec.expirationSeconds",
    },
  ]);
}

const defaultSeconds = 3_600;
const minSeconds = 600;
const maxSeconds = 2 ** 32;

function boundTo(call: Call, reference: JsonObject): Pick<TokenClaims, "boundTo" | "node"> {
  if (Object.keys(reference).length === 0) return {};
  const kind = stringAt(reference, "kind");
  const apiVersion = stringAt(reference, "apiVersion");
  const inCore = !apiVersion.includes("/");
  const resource = inCore ? boundResources[kind] : undefined;
  if (resource === undefined) {
    const type = inCore ? `/${apiVersion}` : apiVersion;
    throw badRequest(`cannot bind token to object of type ${type}, Kind=${kind}`);
  }
  const name = stringAt(reference, "name");
  const at = kind === "Node" ? { name } : { namespace: call.info.namespace, name };
  const object = lookUp(call.server, { group: "", resource }, at);
  if (object === undefined) throw notFound({ group: "", resource }, name);
  if (kind === "Pod") assertRunsAs(object, call.info.name);
  const uid = stringAt(objectAt(object, "metadata"), "uid");
  const asked = stringAt(reference, "uid");
  if (asked !== "" && asked !== uid) {
    throw conflict(
      { group: "", resource: kind },
      name,
      `the UID in the bound object reference (${asked}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const node = kind === "Pod" ? nodeOf(call, object) : {};
  return { boundTo: { kind, name, uid }, ...node };
}

function assertRunsAs(pod: JsonObject, account: string): void {
  if (stringAt(objectAt(pod, "spec"), "serviceAccountName") === account) return;
  throw badRequest(
    `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
  );
}

const boundResources: Readonly<Record<string, string>> = {
  Pod: "pods",
  Secret: "secrets",
  Node: "nodes",
};

function nodeOf(call: Call, pod: JsonObject): Pick<TokenClaims, "node"> {
  const name = stringAt(objectAt(pod, "spec"), "nodeName");
  const node = lookUp(call.server, { group: "", resource: "nodes" }, { name });
  return node === undefined
    ? {}
    : { node: { name, uid: stringAt(objectAt(node, "metadata"), "uid") } };
}

function noIssuer(): StatusError {
  return new StatusError({
    code: 501,
    reason: "NotImplemented",
    message: "Cannot issue a token: this server has no token issuer",
  });
}
