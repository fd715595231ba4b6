/** What is wrong with a JSON text, in the words of Go's `encoding/json`, which clients know. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
}

export interface ScanVisitor {
  /** Called for every field in document order, `again` when its object had the field before. */
  field(pathOf: () => string, again: boolean): void;
}

/**
 * Reads a JSON text strictly without building values: finds syntax errors, nesting over `depthMax` and the fields
 * of all objects. Only needed where JSON.parse has failed or duplicate fields are asked for.
 */
export function scanJson(text: string, visitor: ScanVisitor, depthMax: number): void {
  const scan: Scan = { text, at: 0, frames: [], visitor, depthMax };
  scanValue(scan);
  while (scan.frames.length > 0) scanNext(scan);
  skipSpace(scan);
  if (scan.at < text.length) throw unexpected(scan, "after top-level value");
}

interface Scan {
  readonly text: string;
  at: number;
  /** The open objects and arrays; the path of the place where the scan is. */
  readonly frames: Frame[];
  readonly visitor: ScanVisitor;
  readonly depthMax: number;
}

interface Frame {
  /** The fields seen so far; undefined for an array. */
  readonly fields: Set<string> | undefined;
  field: string;
  index: number;
}

/** Continues in the innermost open object or array: its first or next item, or its end. */
function scanNext(scan: Scan): void {
  const frame = scan.frames.at(-1);
  if (frame === undefined) return;
  skipSpace(scan);
  const isObject = frame.fields !== undefined;
  const close = isObject ? "}" : "]";
  if (scan.text[scan.at] === close) {
    scan.at++;
    scan.frames.pop();
    return;
  }
  if (frame.index >= 0) {
    if (scan.text[scan.at] !== ",") {
      throw unexpected(scan, isObject ? "after object key:value pair" : "after array element");
    }
    scan.at++;
    skipSpace(scan);
  }
  frame.index++;
  if (isObject) scanField(scan, frame);
  scanValue(scan);
}

function scanField(scan: Scan, frame: Frame): void {
  if (scan.text[scan.at] !== '"')
    throw unexpected(scan, "looking for beginning of object key string");
  frame.field = scanString(scan);
  const again = frame.fields?.has(frame.field) ?? false;
  frame.fields?.add(frame.field);
  scan.visitor.field(() => pathOf(scan.frames), again);
  skipSpace(scan);
  if (scan.text[scan.at] !== ":") throw unexpected(scan, "after object key");
  scan.at++;
}

function scanValue(scan: Scan): void {
  skipSpace(scan);
  const first = scan.text[scan.at];
  if (first === "{" || first === "[") {
    if (scan.frames.length >= scan.depthMax) throw new JsonSyntaxError("exceeded max depth");
    scan.at++;
    scan.frames.push({ fields: first === "{" ? new Set() : undefined, field: "", index: -1 });
  } else if (first === '"') scanString(scan);
  else if (first === "t") scanLiteral(scan, "true");
  else if (first === "f") scanLiteral(scan, "false");
  else if (first === "n") scanLiteral(scan, "null");
  else if (first !== undefined && /[-\d]/.test(first)) scanNumber(scan);
  else throw unexpected(scan, "looking for beginning of value");
}

function scanString(scan: Scan): string {
  const start = scan.at;
  let escaped = false;
  for (scan.at++; scan.at < scan.text.length; scan.at++) {
    const code = scan.text.charCodeAt(scan.at);
    if (code === quote) {
      const end = ++scan.at;
      const raw = scan.text.slice(start, end);
      return escaped ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    }
    if (code < 0x20) throw unexpected(scan, "in string literal");
    if (code === backslash) {
      escaped = true;
      scanEscape(scan);
    }
  }
  throw unexpected(scan, "");
}

const quote = 0x22;
const backslash = 0x5c;

function scanEscape(scan: Scan): void {
  scan.at++;
  const kind = scan.text[scan.at] ?? "";
  if (kind !== "u") {
    if (kind === "" || !'"\\/bfnrt'.includes(kind)) throw unexpected(scan, "in string escape code");
    return;
  }
  for (let digits = 0; digits < 4; digits++) {
    scan.at++;
    if (!/[\da-fA-F]/.test(scan.text[scan.at] ?? "")) {
      throw unexpected(scan, "in \\u hexadecimal character escape");
    }
  }
}

function scanLiteral(scan: Scan, literal: string): void {
  for (const letter of literal) {
    if (scan.text[scan.at] !== letter) {
      throw unexpected(scan, `in literal ${literal} (expecting '${letter}')`);
    }
    scan.at++;
  }
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;

function scanNumber(scan: Scan): void {
  number.lastIndex = scan.at;
  if (!number.test(scan.text)) {
    scan.at++;
    throw unexpected(scan, "in numeric literal");
  }
  scan.at = number.lastIndex;
  if (scan.text[scan.at] === ".") {
    scan.at++;
    throw unexpected(scan, "after decimal point in numeric literal");
  }
  if (/[eE]/.test(scan.text[scan.at] ?? "")) {
    scan.at++;
    throw unexpected(scan, "in exponent of numeric literal");
  }
}

function skipSpace(scan: Scan): void {
  for (;;) {
    const code = scan.text.charCodeAt(scan.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    scan.at++;
  }
}

function unexpected(scan: Scan, where: string): JsonSyntaxError {
  const point = scan.text.codePointAt(scan.at);
  if (point === undefined) return new JsonSyntaxError("unexpected end of JSON input");
  return new JsonSyntaxError(`invalid character ${quoteRune(point)} ${where}`);
}

/** A character as Go's `strconv.QuoteRune` shows it. */
function quoteRune(point: number): string {
  const named = new Map([
    [0x09, "\\t"],
    [0x0a, "\\n"],
    [0x0d, "\\r"],
    [0x27, "\\'"],
    [0x5c, "\\\\"],
  ]).get(point);
  if (named !== undefined) return `'${named}'`;
  if (point < 0x20 || point === 0x7f) return `'\\x${point.toString(16).padStart(2, "0")}'`;
  return `'${String.fromCodePoint(point)}'`;
}

function pathOf(frames: readonly Frame[]): string {
  let path = "";
  for (const frame of frames) {
    if (frame.fields === undefined) path += `[${frame.index}]`;
    else path += path === "" ? frame.field : `.${frame.field}`;
  }
  return path;
}
