import type { AuditLevel } from "#apiserver/audit/policy.ts";
import type { JsonObject } from "#api/kind.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/**
 * The level at which a request may be recorded, whatever the policy says: a Secret's values stand in its bodies, its
 * patches and its last-applied annotation, so no body of one is ever recorded.
 */
export function allowedLevel(level: AuditLevel, info: RequestInfo): AuditLevel {
  if (level === "None" || level === "Metadata") return level;
  return info.group === "" && info.resource === "secrets" ? "Metadata" : level;
}

/** Without the tokens that this kind of request carries. The object is not changed. */
export function redacted(object: unknown, info: RequestInfo): unknown {
  if (!isObject(object)) return object;
  const { group, resource, subresource } = info;
  if (group === "" && resource === "serviceaccounts" && subresource === "token")
    return without(object, "status");
  if (group === "authentication.k8s.io" && resource === "tokenreviews")
    return without(object, "spec");
  return object;
}

/** Bodies without `metadata.managedFields`: of an object, of a list's items, of a table's rows. */
export function withoutManagedFields(object: unknown): unknown {
  if (!isObject(object)) return object;
  const { metadata, items, rows } = object;
  return {
    ...object,
    ...(isObject(metadata) && { metadata: stripped(metadata) }),
    ...(Array.isArray(items) && { items: items.map(withoutManagedFields) }),
    ...(Array.isArray(rows) && {
      rows: (rows as unknown[]).map((row) =>
        isObject(row) && isObject(row["object"])
          ? { ...row, object: withoutManagedFields(row["object"]) }
          : row,
      ),
    }),
  };
}

/** Annotations of admission that quote the object; upstream adds them from level Request on. */
export function quotesBody(annotation: string): boolean {
  return annotation.startsWith("patch.webhook.admission.k8s.io/");
}

function without(object: JsonObject, part: "spec" | "status"): JsonObject {
  const inner = object[part];
  return isObject(inner) && "token" in inner
    ? { ...object, [part]: { ...inner, token: "REDACTED" } }
    : object;
}

function stripped(metadata: JsonObject): JsonObject {
  const { managedFields: _, ...rest } = metadata;
  return rest;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
