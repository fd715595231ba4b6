import type { Column, Kind } from "#api/kind.ts";
import {
  admissionColumns,
  certificatesColumns,
  flowColumns,
  rbacColumns,
} from "#api/kinds/columns/access.ts";
import { autoscalingColumns } from "#api/kinds/columns/autoscaling.ts";
import { createdAt, name } from "#api/kinds/columns/cells.ts";
import { coreColumns } from "#api/kinds/columns/core.ts";
import { newEventColumns } from "#api/kinds/columns/events.ts";
import { furtherColumns } from "#api/kinds/columns/further.ts";
import { networkingColumns } from "#api/kinds/columns/networking.ts";
import { endpointSliceColumns } from "#api/kinds/columns/services.ts";
import { podRowConditions } from "#api/kinds/columns/pods.ts";
import { storageColumns } from "#api/kinds/columns/storage.ts";
import { appsColumns, batchColumns } from "#api/kinds/columns/workloads.ts";

/** What `kubectl get` shows of a built-in kind; the default columns for one that has none of its own. */
export function columnsOf(group: string, kind: string): readonly Column[] {
  return columns[group]?.[kind] ?? defaultColumns;
}

/** What is said of the rows of a kind; of most nothing. */
export function rowConditionsOf(group: string, kind: string): Pick<Kind, "rowConditions"> {
  return group === "" && kind === "Pod" ? { rowConditions: podRowConditions } : {};
}

/** The columns of a kind without own ones: its name and when it was created. */
export const defaultColumns: readonly Column[] = [name, createdAt];

const columns: Readonly<Record<string, Readonly<Record<string, readonly Column[]>>>> = {
  ...furtherColumns,
  "": coreColumns,
  "admissionregistration.k8s.io": admissionColumns,
  apps: appsColumns,
  autoscaling: autoscalingColumns,
  batch: batchColumns,
  "certificates.k8s.io": certificatesColumns,
  "discovery.k8s.io": { EndpointSlice: endpointSliceColumns },
  "events.k8s.io": { Event: newEventColumns },
  "flowcontrol.apiserver.k8s.io": flowColumns,
  "networking.k8s.io": networkingColumns,
  "rbac.authorization.k8s.io": rbacColumns,
  "storage.k8s.io": storageColumns,
};
