import { badRequest } from "#api/status.ts";

/** The four wire types that proto2 messages of the API use. */
export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
const wireFixed32 = 5;

/** Reads one message of the protobuf wire format. Throws a 400 on bytes that are not one. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#position = 0;
    this.#end = bytes.length;
  }

  get done(): boolean {
    return this.#position >= this.#end;
  }

  /** The next field's number and wire type. */
  tag(): { readonly number: number; readonly wire: number } {
    const tag = this.#size();
    const number = Math.floor(tag / 8);
    if (number === 0) throw malformed("a field has the number 0");
    return { number, wire: tag % 8 };
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value & 0xffff_ffff_ffff_ffffn;
    }
    throw malformed("a number has more than ten bytes");
  }

  bytes(): Uint8Array {
    return this.#take(this.#size());
  }

  double(): number {
    const taken = this.#take(8);
    return new DataView(taken.buffer, taken.byteOffset, 8).getFloat64(0, true);
  }

  skip(wire: number): void {
    switch (wire) {
      case wireVarint:
        this.varint();
        return;
      case wireFixed64:
        this.#take(8);
        return;
      case wireBytes:
        this.bytes();
        return;
      case wireFixed32:
        this.#take(4);
        return;
      default:
        throw malformed(`wire type ${wire} is not known`);
    }
  }

  /** A tag or a length: a number of 32 bits. */
  #size(): number {
    let value = 0;
    let weight = 1;
    for (let count = 0; count < 5; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
      weight *= 128;
    }
    throw malformed("a length has more than five bytes");
  }

  #byte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) throw malformed("it ends too early");
    this.#position++;
    return byte;
  }

  #take(length: number): Uint8Array {
    if (length > this.#end - this.#position) throw malformed("it ends too early");
    const taken = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return taken;
  }
}

/** Collects the fields of one message; messages within it are written in place. */
export class WireWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  varintField(number: number, value: bigint): void {
    this.#tag(number, wireVarint);
    this.#bigVarint(BigInt.asUintN(64, value));
  }

  /** Any whole number; a negative one takes ten bytes, as in every proto2 integer. */
  integerField(number: number, value: number): void {
    if (value < 0 || !Number.isSafeInteger(value)) return this.varintField(number, BigInt(value));
    this.#tag(number, wireVarint);
    this.#varint(value);
  }

  doubleField(number: number, value: number): void {
    this.#tag(number, wireFixed64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  bytesField(number: number, value: Uint8Array): void {
    this.#tag(number, wireBytes);
    this.#varint(value.length);
    this.raw(value);
  }

  textField(number: number, text: string): void {
    this.#tag(number, wireBytes);
    if (text.length < shortMax && this.#shortText(text)) return;
    const encoded = encoder.encode(text);
    this.#varint(encoded.length);
    this.raw(encoded);
  }

  /** A field whose bytes are what `write` writes. */
  messageField(number: number, write: () => void): void {
    this.#tag(number, wireBytes);
    this.#reserve(1);
    const start = ++this.#length;
    write();
    const length = this.#length - start;
    const more = varintLength(length) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Most texts are short and plain; a call of the encoder costs more than they do. */
  #shortText(text: string): boolean {
    this.#reserve(text.length + 1);
    const bytes = this.#bytes;
    const start = this.#length + 1;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) return false;
      bytes[start + at] = code;
    }
    bytes[this.#length] = text.length;
    this.#length = start + text.length;
    return true;
  }

  #tag(number: number, wire: number): void {
    this.#varint(number * 8 + wire);
  }

  #varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  #bigVarint(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const encoder = new TextEncoder();
/** Such lengths fit into one byte. */
const shortMax = 128;

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

export function malformed(why: string): Error {
  return badRequest(`Cannot decode the protobuf body: ${why}`);
}
