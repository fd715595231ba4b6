import type { Json } from "#api/meta.ts";
import { badRequest, type StatusError } from "#api/status.ts";
import { hasDuplicateKeys } from "#api/decode/duplicate-keys.ts";
import { JsonSyntaxError, scanJson } from "#api/decode/json-scan.ts";
import { decodeYaml } from "#api/decode/yaml-body.ts";

export type BodyMediaType = "application/json" | "application/yaml";

/** A decoded request body and what a strict reader would have to say about its text. */
export interface DecodedBody {
  readonly value: Json;
  /** Findings that only the text shows: `duplicate field "spec.foo"`. Empty unless asked for. */
  readonly findings: readonly TextFinding[];
  /** The place of a field in the text, to report findings in the order of the text. Only with findings. */
  readonly placeOf?: (path: string) => number;
}

interface TextFinding {
  readonly message: string;
  /** The field concerned: what is inside an unknown field is not reported. Undefined where there is no one field. */
  readonly path?: string;
  readonly place: number;
}

export interface DecodeOptions {
  /** Look for duplicate fields (field validation `Warn` and `Strict`). Costs a second pass over the text. */
  readonly findDuplicates?: boolean;
  /** The kind that is expected, for the error text. */
  readonly kind?: string;
}

/**
 * Reads a request body. Text that is not JSON or YAML, or is nested too deeply, is a 400 in upstream's words.
 * The size of the body is the caller's to limit.
 */
export function decodeBody(
  bytes: Uint8Array,
  mediaType: BodyMediaType,
  options: DecodeOptions = {},
): DecodedBody {
  const text = decoder.decode(bytes);
  try {
    const findDuplicates = options.findDuplicates ?? false;
    const body =
      mediaType === "application/yaml"
        ? decodeEither(bytes, text, findDuplicates)
        : decodeJson(text, findDuplicates);
    if (options.kind !== undefined) assertMayBeObject(body.value);
    return body;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw unreadable(bytes, error.message, options.kind);
  }
}

/** Keeps a byte order mark, which Go's reader refuses. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Deeper values are refused, so that all code that walks objects may recurse. */
const depthMax = 1000;
const findingsMax = 100;

function decodeJson(text: string, findDuplicates: boolean): DecodedBody {
  const value = parse(text);
  if (!findDuplicates || !hasDuplicateKeys(text)) return { value, findings: [] };
  return { value, findings: duplicatesOf(text), placeOf: places(text) };
}

function parse(text: string): Json {
  if (mayBeTooDeep(text)) scanJson(text, { field: () => {} }, depthMax);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    scanJson(text, { field: () => {} }, depthMax);
    throw new JsonSyntaxError(error.message);
  }
}

function mayBeTooDeep(text: string): boolean {
  if (text.length < depthMax) return false;
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code === 0x7b || code === 0x5b) && ++open > depthMax) return true;
  }
  return false;
}

function duplicatesOf(text: string): TextFinding[] {
  const findings = new Map<string, TextFinding>();
  let place = 0;
  const field = (pathOf: () => string, again: boolean): void => {
    place++;
    if (!again || findings.size >= findingsMax) return;
    const path = pathOf();
    if (!findings.has(path)) {
      findings.set(path, { message: `duplicate field "${path}"`, path, place });
    }
  };
  scanJson(text, { field }, depthMax);
  return [...findings.values()];
}

function places(text: string): (path: string) => number {
  let known: Map<string, number> | undefined;
  return (path) => {
    if (known === undefined) {
      const found = new Map<string, number>();
      let place = 0;
      const field = (pathOf: () => string, again: boolean): void => {
        place++;
        if (!again) found.set(pathOf(), place);
      };
      scanJson(text, { field }, depthMax);
      known = found;
    }
    return known.get(path) ?? 0;
  };
}

/** Much of what is sent as YAML is JSON, which is read many times faster. */
function decodeEither(bytes: Uint8Array, text: string, findDuplicates: boolean): DecodedBody {
  assertYamlText(bytes, text);
  if (!/^\s*\{/.test(text)) return decodeYaml(text, findDuplicates);
  try {
    return decodeJson(text, findDuplicates);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return decodeYaml(text, findDuplicates); // A YAML flow mapping begins the same way.
  }
}

/** Go's reader of JSON replaces what is not UTF-8; its reader of YAML refuses it, and control characters with it. */
function assertYamlText(bytes: Uint8Array, text: string): void {
  if (text.includes("\uFFFD") && !isUtf8(bytes)) {
    throw new JsonSyntaxError("yaml: invalid leading UTF-8 octet");
  }
  if (controlCharacter.test(text)) {
    throw new JsonSyntaxError("yaml: control characters are not allowed");
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true });
/** All but tab, line feed, carriage return and next line. */
const controlCharacter = /[^\t\n\r\u0085\P{Cc}]|[\ufffe\uffff]/u;

/** Lets null pass, which Go reads as an empty object. */
function assertMayBeObject(value: Json): void {
  if (typeof value === "object" && !Array.isArray(value)) return;
  const what = Array.isArray(value) ? "array" : (goNames[typeof value] ?? typeof value);
  throw new JsonSyntaxError(`json: cannot unmarshal ${what} into Go value of type ${typeMeta}`);
}

const goNames: Readonly<Record<string, string>> = { boolean: "bool" };
const typeMeta =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

function unreadable(bytes: Uint8Array, why: string, kind: string | undefined): StatusError {
  const problem =
    why.startsWith("yaml: ") || why.startsWith("error converting")
      ? why
      : `couldn't get version/kind; json parse error: ${why}`;
  return kind === undefined ? badRequest(problem) : unrecognized(bytes, problem, kind);
}

/** The refusal of a body that is nothing readable. */
export function unrecognized(bytes: Uint8Array, problem: string, kind: string): StatusError {
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): ${problem} (${summary(bytes)})`,
  );
}

/** The beginning of a body: as text where it seems to be JSON, else in hexadecimal. */
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return "<empty>";
  const more = bytes.length > 30 ? " ..." : "";
  if (bytes[0] === 0x7b) return decoder.decode(bytes.subarray(0, 30)) + more;
  const hex = Array.from(bytes.subarray(0, 30), (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("") + more;
}
