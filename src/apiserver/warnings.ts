import type { Headers } from "#apiserver/request.ts";

/** Texts for `Warning` headers: each once, in order, together not over upstream's limits. */
export class Warnings {
  #texts: Set<string> | undefined;
  #lettersLeft = totalLettersMax;

  add(text: string): void {
    const cut = text.slice(0, textLettersMax);
    this.#texts ??= new Set();
    if (this.#texts.has(cut) || cut.length > this.#lettersLeft) return;
    this.#lettersLeft -= cut.length;
    this.#texts.add(cut);
  }

  headers(): Headers {
    if (this.#texts === undefined) return none;
    return Array.from(this.#texts, (text) => ["warning", `299 - ${quoted(text)}`] as const);
  }
}

const none: Headers = [];
const totalLettersMax = 4_096;
const textLettersMax = 2_048;

/** An HTTP quoted-string; control characters cannot stand in a header. */
function quoted(text: string): string {
  const printable = text.replace(/\p{Cc}/gu, " ");
  return `"${printable.replace(/["\\]/g, String.raw`\$&`)}"`;
}
