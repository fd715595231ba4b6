import { rfc3339, rfc3339Micro } from "#base/clock.ts";
import type { Json } from "#api/meta.ts";
import { formatQuantity, readQuantity } from "#api/quantity.ts";
import type { Schema } from "#api/schema.ts";

/** A value that cannot be read as its type. `typed` messages still lack the field they are about. */
export type Unreadable =
  | { readonly kind: "mismatch"; readonly value: string; readonly type: string }
  | { readonly kind: "text"; readonly message: string };

export function isUnreadable(read: Json | Unreadable, value: Json): read is Unreadable {
  return read !== value && typeof read === "object" && read !== null && "kind" in read;
}

/** Reads a scalar as Go would decode it into the field's type; times and quantities become canonical. */
export function readScalar(value: Json, schema: Schema): Json | Unreadable {
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") return mismatch(value, goTypeOf(schema));
      return readText(value, schema);
    case "boolean":
      return typeof value === "boolean" ? value : mismatch(value, "bool");
    case "integer":
      return readInteger(value, schema);
    case "number":
      return typeof value === "number" ? value : mismatch(value, "float64");
    default:
      return readUnion(value, schema);
  }
}

/** What Go writes for a type in its messages: `int32`, `v1.PodSpec`, `[]v1.Container`. */
export function goTypeOf(schema: Schema): string {
  if (schema.name !== undefined) return goNameOf(schema.name);
  switch (schema.type) {
    case "string":
      return schema.format === "byte" ? "[]uint8" : "string";
    case "boolean":
      return "bool";
    case "integer":
      return schema.format === "int64" ? "int64" : "int32";
    case "number":
      return "float64";
    case "array":
      return `[]${schema.items ? goTypeOf(schema.items) : "interface {}"}`;
    case "object":
      return `map[string]${schema.values ? goTypeOf(schema.values) : "interface {}"}`;
    default:
      return "interface {}";
  }
}

/** `io.k8s.api.apps.v1.DeploymentSpec` → `DeploymentSpec`. */
export function goStructOf(schema: Schema): string {
  return schema.name?.split(".").at(-1) ?? "";
}

export function mismatch(value: Json, type: string): Unreadable {
  return { kind: "mismatch", value: goKindOf(value), type };
}

/** What a null item of a list or a map becomes. */
export function zeroOf(schema: Schema | undefined): Json {
  switch (schema?.type) {
    case "string":
      return "";
    case "boolean":
      return false;
    case "integer":
    case "number":
      return 0;
    case "object":
      return {};
    case "array":
      return [];
    default:
      return schema?.format === "quantity" ? "0" : null;
  }
}

function goNameOf(name: string): string {
  const parts = name.split(".");
  return `${parts.at(-2) ?? ""}.${parts.at(-1) ?? ""}`;
}

function goKindOf(value: Json): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value;
}

function readInteger(value: Json, schema: Schema): Json | Unreadable {
  const type = goTypeOf(schema);
  if (typeof value !== "number") return mismatch(value, type);
  const limit = schema.format === "int64" ? 2 ** 63 : 2 ** 31;
  if (Number.isInteger(value) && value >= -limit && value < limit) return value;
  return { kind: "mismatch", value: `number ${value}`, type };
}

function readText(value: string, schema: Schema): Json | Unreadable {
  if (schema.format === "byte") return readBase64(value);
  if (schema.format === "date-time") {
    return readTime(value, schema.name?.endsWith(".MicroTime") ?? false);
  }
  return value;
}

/** Types that take a number or a text. */
function readUnion(value: Json, schema: Schema): Json | Unreadable {
  if (schema.format === "quantity") {
    if (typeof value !== "string" && typeof value !== "number") {
      return readQuantityText(JSON.stringify(value));
    }
    return readQuantityText(String(value).trim());
  }
  if (schema.format !== "int-or-string" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
    return value;
  }
  const what = typeof value === "number" ? `number ${value}` : goKindOf(value);
  return text(`json: cannot unmarshal ${what} into Go value of type int32`);
}

function readQuantityText(value: string): Json | Unreadable {
  const quantity = readQuantity(value);
  return typeof quantity === "string" ? text(quantity) : formatQuantity(quantity);
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function readBase64(value: string): Json | Unreadable {
  if (base64.test(value)) return value;
  const compact = value.replace(/[\r\n]/g, "");
  if (base64.test(compact)) return compact;
  const valid = /^[A-Za-z0-9+/]*/.exec(compact)?.[0].length ?? 0;
  const place = compact.length === valid ? valid - (valid % 4) : valid;
  return text(`illegal base64 data at input byte ${place}`);
}

const timeShape =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([-+])(\d\d):(\d\d))$/;
/** In UTC, with a day that every month has; enough for the usual case. */
const canonicalTime =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?Z$/;
const timeLayout = ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05", "Z07:00"];

/** Times are stored in UTC with whole seconds, or with microseconds where the type says so. */
function readTime(value: string, micro: boolean): Json | Unreadable {
  const isCanonical = value.endsWith("Z") && value.length === (micro ? 27 : 20);
  if (isCanonical && canonicalTime.test(value)) return value;
  const match = timeShape.exec(value);
  if (match === null) return text(timeProblem(value, micro));
  const outOfRange = rangeProblem(match);
  if (outOfRange !== undefined) {
    return text(`parsing time ${JSON.stringify(value)}: ${outOfRange} out of range`);
  }
  const whole = Date.parse(`${value.slice(0, 19)}Z`) - offsetMs(match);
  const fraction = (match[7] ?? "").slice(0, 6).padEnd(6, "0");
  return micro ? rfc3339Micro(whole).replace(/\.\d{6}Z$/, `.${fraction}Z`) : rfc3339(whole);
}

function offsetMs(match: RegExpExecArray): number {
  const minutes = Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0);
  return (match[8] === "-" ? -minutes : minutes) * 60_000;
}

function rangeProblem(match: RegExpExecArray): string | undefined {
  const [, year, month, day, hour, minute, second] = match.map(Number);
  if (month === undefined || month < 1 || month > 12) return "month";
  const days = new Date(Date.UTC(year ?? 0, month, 0)).getUTCDate();
  if (day === undefined || day < 1 || day > days) return "day";
  if ((hour ?? 0) > 23) return "hour";
  if ((minute ?? 0) > 59) return "minute";
  return (second ?? 0) > 59 ? "second" : undefined;
}

function timeProblem(value: string, micro: boolean): string {
  const layout = micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  let rest = value;
  for (const element of timeLayout) {
    const shape = /^\d+$/.test(element) ? new RegExp(`^\\d{${element.length}}`) : undefined;
    const length = shape
      ? shape.test(rest)
        ? element.length
        : -1
      : rest.startsWith(element)
        ? 1
        : -1;
    if (length < 0) {
      return `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element)}`;
    }
    rest = rest.slice(length);
  }
  return `parsing time ${JSON.stringify(value)}: extra text: ${JSON.stringify(rest)}`;
}

function text(message: string): Unreadable {
  return { kind: "text", message };
}
