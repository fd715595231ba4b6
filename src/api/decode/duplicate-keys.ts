/**
 * Whether some object of a JSON text has a field twice. The text must be valid JSON: that lets this pass, which every
 * checked request takes, look at little more than quotes and brackets.
 */
export function hasDuplicateKeys(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  let fields: Set<string> | undefined;
  let atKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = endOfString(text, at);
        if (atKey && fields !== undefined) {
          const size = fields.size;
          fields.add(keyOf(text, at, end));
          if (fields.size === size) return true;
          atKey = false;
        }
        at = end;
        break;
      }
      case comma:
        atKey = fields !== undefined;
        break;
      case openBrace:
        open.push(fields);
        fields = new Set();
        atKey = true;
        break;
      case openBracket:
        open.push(fields);
        fields = undefined;
        break;
      case closeBrace:
      case closeBracket:
        fields = open.pop();
        atKey = false;
        break;
    }
  }
  return false;
}

const quote = 0x22;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const backslash = 0x5c;

/** The place of the closing quote: the first that an even number of backslashes precedes. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
  }
}

function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  return raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
}
