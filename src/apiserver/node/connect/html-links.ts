import { decodeHTMLAttribute } from "entities/decode";
import { Tokenizer } from "htmlparser2";
import type { Splice } from "#apiserver/node/connect/page-links.ts";

/**
 * Changes the URLs in a page's tags while the page passes, given in pieces of any length. What is not changed comes out
 * as it went in; what is held back is at most one URL. Characters may stand for bytes: only ASCII is looked at.
 */
export class HtmlLinks {
  readonly #spliceOf: (url: string) => Splice | undefined;
  readonly #tokenizer: Tokenizer;
  /** What may be asked for again or has yet to be written; `#start` is where it stands in the page. */
  #text = "";
  #start = 0;
  /** Up to here the page is written. */
  #written = 0;
  #output: string[] = [];
  #attributes: ReadonlySet<string> | undefined;
  /** The attribute that is being read holds a URL: from `start` on, as soon as its value has begun. */
  #url: { start: number | undefined; end: number } | undefined;

  constructor(urlSplice: (url: string) => Splice | undefined) {
    this.#spliceOf = urlSplice;
    this.#tokenizer = new Tokenizer(
      { decodeEntities: false },
      {
        ...ignored,
        onopentagname: (start, end) => {
          this.#attributes = urlAttributes.get(this.#nameAt(start, end));
        },
        onattribname: (start, end) => {
          const holds = this.#attributes?.has(this.#nameAt(start, end)) ?? false;
          this.#url = holds ? { start: undefined, end } : undefined;
        },
        onattribdata: (start, end) => this.#readUrl(start, end),
        onattribend: () => this.#finishUrl(),
      },
    );
  }

  write(piece: string): string {
    this.#text += piece;
    this.#tokenizer.write(piece);
    this.#passUpTo(this.#url?.start ?? this.#start + this.#text.length);
    this.#forget();
    return this.#taken();
  }

  /** A tag that never ends is none. */
  end(): string {
    this.#passUpTo(this.#start + this.#text.length);
    return this.#taken();
  }

  #readUrl(start: number, end: number): void {
    if (this.#url === undefined) return;
    this.#url.start ??= start;
    this.#url.end = end;
    // Only its beginning matters: `data:` URLs are as long as what is in them.
    if (end - this.#url.start > urlMax) this.#finishUrl();
  }

  #finishUrl(): void {
    const { start, end } = this.#url ?? {};
    this.#url = undefined;
    if (start === undefined || end === undefined) return;
    const raw = this.#at(start, end);
    const url = decodeHTMLAttribute(raw);
    const splice = this.#spliceOf(url);
    if (splice === undefined) return;
    this.#passUpTo(start + rawLength(raw, url.slice(0, splice.start)));
    this.#output.push(splice.text);
    this.#written = start + rawLength(raw, url.slice(0, splice.end));
  }

  #passUpTo(end: number): void {
    if (end <= this.#written) return;
    this.#output.push(this.#at(this.#written, end));
    this.#written = end;
  }

  #at(start: number, end: number): string {
    return this.#text.slice(start - this.#start, end - this.#start);
  }

  #nameAt(start: number, end: number): string {
    return end - start > nameMax ? "" : this.#at(start, end).toLowerCase();
  }

  /** A name that the next piece goes on with may have begun in this one. */
  #forget(): void {
    const keptFrom = Math.min(this.#written, this.#start + this.#text.length - nameMax);
    if (keptFrom <= this.#start) return;
    this.#text = this.#text.slice(keptFrom - this.#start);
    this.#start = keptFrom;
  }

  #taken(): string {
    const output = this.#output.join("");
    this.#output = [];
    return output;
  }
}

const urlMax = 4096;
/** No name in the table is longer. */
const nameMax = 16;

/** How much of the source stands for `text` at its beginning. */
function rawLength(raw: string, text: string): number {
  if (!raw.includes("&")) return text.length;
  for (let length = text.length; length < raw.length; length++) {
    if (decodeHTMLAttribute(raw.slice(0, length)) === text) return length;
  }
  return raw.length;
}

const ignored = {
  onattribentity: () => {},
  oncdata: () => {},
  onclosetag: () => {},
  oncomment: () => {},
  ondeclaration: () => {},
  onend: () => {},
  onopentagend: () => {},
  onprocessinginstruction: () => {},
  onselfclosingtag: () => {},
  ontext: () => {},
  ontextentity: () => {},
};

/** The attributes that hold one URL, by tag: those of HTML 4 and 5 that upstream's proxy rewrites. */
const urlAttributes: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    a: ["href"],
    applet: ["codebase"],
    area: ["href"],
    audio: ["src"],
    base: ["href"],
    blockquote: ["cite"],
    body: ["background"],
    button: ["formaction"],
    command: ["icon"],
    del: ["cite"],
    embed: ["src"],
    form: ["action"],
    frame: ["longdesc", "src"],
    head: ["profile"],
    html: ["manifest"],
    iframe: ["longdesc", "src"],
    img: ["longdesc", "src", "usemap"],
    input: ["formaction", "src", "usemap"],
    ins: ["cite"],
    link: ["href"],
    object: ["classid", "codebase", "data", "usemap"],
    q: ["cite"],
    script: ["src"],
    source: ["src"],
    video: ["poster", "src"],
  }).map(([tag, names]) => [tag, new Set(names)]),
);
