import type { ContainerStatus, Pod } from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { checkQualifiedName, checkUnique } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { ipProblems, parseIp } from "#api/validation/ip.ts";

/** What the status of a pod may not become: a container that ended for good does not run again. */
export function checkPodStatusUpdate(root: Field, pod: Given<Pod>, old: Given<Pod>): void {
  const field = root.child("status");
  const status = pod.status ?? {};
  const before = old.status ?? {};
  for (const [index, condition] of itemsOf(status.conditions).entries()) {
    checkQualifiedName(
      root.child("metadata", "conditions").index(index).child("Type"),
      condition.type,
    );
  }
  const nominated = status.nominatedNodeName;
  if (nominated && nominated !== before.nominatedNodeName) {
    field.child("nominatedNodeName").invalidAll(nominated, dns1123SubdomainProblems(nominated));
  }
  if (before.qosClass) checkImmutable(field.child("qosClass"), status.qosClass, before.qosClass);
  checkTransitions(field, pod, old);
  checkIps(
    field.child("podIPs"),
    itemsOf(status.podIPs).map((entry) => entry.ip ?? ""),
  );
  const hostIps = itemsOf(status.hostIPs).map((entry) => entry.ip ?? "");
  checkIps(field.child("hostIPs"), hostIps);
  if (hostIps.length > 0 && hostIps[0] !== status.hostIP) {
    field.child("hostIPs").index(0).child("ip").invalid(hostIps[0], "must be equal to `hostIP`");
  }
}

function checkTransitions(field: Field, pod: Given<Pod>, old: Given<Pod>): void {
  const restartPolicy = old.spec?.restartPolicy ?? "Always";
  const restartable = new Set(
    [...itemsOf(old.spec?.initContainers), ...itemsOf(old.spec?.containers)]
      .filter((container) => container.restartPolicy || container.restartPolicyRules)
      .map((container) => container.name ?? ""),
  );
  for (const name of [
    "containerStatuses",
    "initContainerStatuses",
    "ephemeralContainerStatuses",
  ] as const) {
    checkTransition(field.child(name), itemsOf(pod.status?.[name]), {
      before: itemsOf(old.status?.[name]),
      restartPolicy: name === "ephemeralContainerStatuses" ? "Never" : restartPolicy,
      restartable,
    });
  }
}

function checkTransition(
  field: Field,
  statuses: readonly Given<ContainerStatus>[],
  past: {
    readonly before: readonly Given<ContainerStatus>[];
    readonly restartPolicy: string;
    readonly restartable: ReadonlySet<string>;
  },
): void {
  if (past.restartPolicy === "Always") return;
  for (const [index, old] of past.before.entries()) {
    const ended = old.state?.terminated;
    if (!ended || past.restartable.has(old.name ?? "")) continue;
    if (past.restartPolicy === "OnFailure" && (ended.exitCode ?? 0) !== 0) continue;
    const current = statuses.find((status) => status.name === old.name);
    if (current && !current.state?.terminated) {
      field
        .index(index)
        .child("state")
        .forbidden("may not be transitioned to non-terminated state");
    }
  }
}

function checkIps(field: Field, ips: readonly string[]): void {
  for (const [index, ip] of ips.entries()) field.index(index).invalidAll(ip, ipProblems(ip));
  const families = new Set(ips.map((ip) => parseIp(ip)?.family));
  if (ips.length > 1 && families.size < ips.length) {
    field.invalid(ips, "may specify no more than one IP for each IP family");
  }
  checkUnique(
    ips,
    (ip) => ip,
    (index, ip) => field.index(index).duplicate(ip),
  );
}
