import { deepEqual, equal } from "node:assert/strict";
import { send } from "#test/raw-client.ts";
import type { Access, RawRequest } from "#test/raw-client.ts";

/** A request with the refusal that upstream gives it: `400 BadRequest`, and the message. */
export interface RefusedCase {
  readonly name: string;
  readonly request: RawRequest;
  readonly status: string;
  readonly message: string;
}

export const configMaps = "/api/v1/namespaces/default/configmaps";

/** Sends each request, compares all answers at once, and looks whether the server still answers as before. */
export async function assertRefused(access: Access, cases: readonly RefusedCase[]): Promise<void> {
  const before = await send(access, { path: `${configMaps}/kept` });
  const answers: unknown[] = [];
  for (const { name, request } of cases) {
    const answer = await send(access, request);
    const { kind, reason, message, code } = answer.object as Partial<Record<string, string>>;
    const status =
      kind === "Status" && Number(code) === answer.status
        ? `${answer.status} ${reason ?? ""}`.trim()
        : `${answer.status} without a Status: ${answer.text.slice(0, 200)}`;
    answers.push({ name, status, message: message ?? "" });
  }
  deepEqual(
    answers,
    cases.map(({ name, status, message }) => ({ name, status, message })),
  );
  const after = await send(access, { path: `${configMaps}/kept` });
  equal(before.status, 200);
  equal(after.text, before.text);
}

/** Makes the object that `assertRefused` compares. */
export async function keepOne(access: Access): Promise<void> {
  const made = await send(access, post(configMap("kept", { data: { a: "1" } })));
  equal(made.status, 201, made.text);
}

export function configMap(name: string, more: object = {}): string {
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, ...more });
}

export function post(
  body: string | Uint8Array,
  options: { readonly type?: string; readonly query?: string; readonly path?: string } = {},
): RawRequest {
  const { type = "application/json", query = "", path = configMaps } = options;
  return {
    method: "POST",
    path: path + query,
    headers: { ...(type !== "" && { "content-type": type }), "content-length": lengthOf(body) },
    body,
  };
}

export function withBody(method: string, path: string, type: string, body: string): RawRequest {
  const headers = { "content-type": type, "content-length": lengthOf(body) };
  return { method, path, headers, body };
}

function lengthOf(body: string | Uint8Array): number {
  return Buffer.byteLength(body);
}
