import { badRequest, type StatusError } from "#api/status.ts";
import { scanJson } from "#api/decode/json-scan.ts";

/**
 * Refuses a JSON text with an integer that would be stored as another number. Upstream holds 64 bits, JavaScript's
 * numbers 53 and what lies on their grid beyond. What exceeds 64 bits is rounded by upstream too and passes.
 * The text must be valid JSON; most cost a look at each sixteenth character.
 */
export function refuseLargeIntegers(text: string): void {
  if (!hasLongNumber(text)) return;
  const number = (pathOf: () => string, source: string): void => {
    if (/^-?\d+$/.test(source) && !isHeld(BigInt(source))) throw notHeld(pathOf(), source);
  };
  scanJson(text, { field: () => {}, number }, Number.POSITIVE_INFINITY);
}

/** Whether the integer reads the same after it was a number. So what was given out can be sent again. */
export function isHeld(integer: bigint): boolean {
  if (BigInt.asIntN(64, integer) !== integer) return true;
  return String(Number(integer)) === String(integer);
}

/** The 400 for an integer that cannot be stored as it was sent. */
export function notHeld(path: string, source: string): StatusError {
  const where = path === "" ? "" : `${path}: `;
  return badRequest(
    `${where}Invalid value: ${source}: cannot be stored exactly: of integers beyond ${Number.MAX_SAFE_INTEGER} only those that a double holds can`,
  );
}

/** So many has the shortest integer that is not held. */
const digitsMin = 16;

/** Whether so many digits stand together, be it in a string: they cannot without standing at one of these places. */
function hasLongNumber(text: string): boolean {
  for (let at = digitsMin - 1; at < text.length; at += digitsMin) {
    if (!isDigit(text, at)) continue;
    let first = at;
    let last = at;
    while (isDigit(text, first - 1)) first--;
    while (isDigit(text, last + 1)) last++;
    if (last - first + 1 >= digitsMin) return true;
  }
  return false;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}
