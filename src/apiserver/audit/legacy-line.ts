import type { AuditEvent } from "#apiserver/audit/event.ts";

/** One line of text with a part of the event, as upstream's format `legacy`. */
export function legacyLine(event: AuditEvent): string {
  const { user, impersonatedUser, objectRef, responseStatus, sourceIPs = [] } = event;
  const fields: Readonly<Record<string, string>> = {
    id: event.auditID,
    stage: event.stage,
    ip: sourceIPs[0] ?? "<unknown>",
    method: event.verb,
    user: user.username ?? "<none>",
    groups: user.username === undefined ? "<none>" : (quoted(user.groups) ?? "<none>"),
    as: impersonatedUser === undefined ? "<self>" : (impersonatedUser.username ?? ""),
    asgroups: quoted(impersonatedUser?.groups) ?? "<lookup>",
    "user-agent": event.userAgent ?? "",
    namespace: objectRef?.namespace ?? "<none>",
    uri: event.requestURI,
    response: responseStatus === undefined ? "<deferred>" : String(responseStatus.code ?? 0),
  };
  const words = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${event.requestReceivedTimestamp} AUDIT: ${words.join(" ")}`;
}

function quoted(list: readonly string[] | undefined): string | undefined {
  return list?.map((one) => JSON.stringify(one)).join(",");
}
